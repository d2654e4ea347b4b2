//! Delivers mail to attached viewers, and announces to couriers who is attached.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    ATTACHMENTS_MAX, Attachments, BusError, Mail, MailEnvelope, MailNews, SnapshotPart, UserHash,
};
use tokio::time::{Instant, MissedTickBehavior};

use crate::context::Context;
use crate::dispatch::Command;
use crate::mail::{AttachedChanges, Letter, MailChains, MailItem, Rings, SPREAD, Slot};

/// Time for which attaches are gathered into one announcement.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(20);
/// Time from an attach to its announcement beyond which couriers may have forgotten whom they told meanwhile. They
/// remember it for five seconds; the rest is for the way.
const LATE_AFTER: Duration = Duration::from_secs(2);
/// Time between two announcements of all users.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(10);
/// Time between two looks at silent couriers, and at a ring that is wanted.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Pause before the way of mail is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Frames in one command to a shard at most: rooms are served between two commands.
const ITEMS_MAX: usize = 256;

/// Delivers mail until the gateway ends. Without a way of mail, there is nothing to do.
pub(crate) async fn deliver_mail(context: &Context, mail: Option<Arc<dyn Mail>>) {
    let Some(mail) = mail else { return };
    let mut delivery =
        Delivery { context, mail: &*mail, chains: MailChains::default(), rings: Rings::default() };
    loop {
        tokio::select! {
            followed = delivery.follow() => match followed {
                Ok(()) => tracing::warn!("the bus ended the way of mail; subscribing again"),
                Err(error) => tracing::warn!(%error, "the bus refused the way of mail; trying again"),
            },
            () = context.lifecycle.ended.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_AFTER) => {}
            () = context.lifecycle.ended.cancelled() => return,
        }
    }
}

struct Delivery<'a> {
    context: &'a Context,
    mail: &'a dyn Mail,
    chains: MailChains,
    rings: Rings,
}

impl Delivery<'_> {
    async fn follow(&mut self) -> Result<(), BusError> {
        let attached = &self.context.attached;
        let mut news = self.mail.news(&self.context.config.id).await?;
        // What came before the subscription is lost.
        self.rings.want();
        let mut snapshots = tokio::time::interval(SNAPSHOT_EVERY);
        snapshots.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checks = tokio::time::interval(CHECK_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut announce_at: Option<Instant> = None;
        loop {
            tokio::select! {
                received = news.next() => match received {
                    None => return Ok(()),
                    Some(MailNews::Envelope(envelope)) => self.take(envelope),
                    Some(MailNews::RollCall) => snapshots.reset_immediately(),
                },
                () = attached.changed.notified(), if announce_at.is_none() => {
                    announce_at = Some(Instant::now() + ANNOUNCE_AFTER);
                }
                () = until(announce_at) => {
                    announce_at = None;
                    self.announce_changes();
                }
                _ = snapshots.tick() => self.announce_all(),
                _ = checks.tick() => {
                    if self.chains.expire(now()) {
                        self.lose();
                    }
                }
            }
            self.ring();
        }
    }

    /// Gives the frames of an envelope to the shards. None of it waits.
    fn take(&mut self, envelope: MailEnvelope) {
        let MailEnvelope { lane, source, number, groups } = envelope;
        if self.chains.take(lane, source, number, now()) {
            self.lose();
        }
        let shards = self.context.dispatch.shards();
        let mut by_shard: Vec<Vec<MailItem>> = vec![Vec::new(); shards.len()];
        let mut streams = Vec::new();
        for group in groups {
            let letter = Arc::new(Letter::new(group.frame));
            self.context.attached.for_each_slot(&group.users, |slot, user| match slot {
                Slot::Viewer { shard, address } => {
                    if let Some(items) = by_shard.get_mut(usize::from(shard)) {
                        items.push(MailItem { address, user, letter: Arc::clone(&letter) });
                    }
                }
                // A bell takes the place of all frames for a stream.
                Slot::Listener(id) => streams.push(id),
            });
        }
        self.context.dispatch.listeners.ring(&streams);
        for (shard, items) in shards.iter().zip(by_shard) {
            for items in items.chunks(ITEMS_MAX) {
                // A shard that is behind has its rooms to serve: its viewers are rung when it has room again.
                if shard.try_send(Command::Mail(items.to_vec())).is_err() {
                    self.lose();
                    break;
                }
            }
        }
    }

    fn lose(&mut self) {
        self.context.metrics.mail_losses.inc();
        self.rings.want();
    }

    fn ring(&mut self) {
        if !self.rings.take_due(now(), || self.context.attached.users() > 0) {
            return;
        }
        for shard in self.context.dispatch.shards() {
            if shard.try_send(Command::RingAttached).is_err() {
                self.rings.want();
            }
        }
        self.context.dispatch.listeners.ring_all(SPREAD);
    }

    fn announce_changes(&mut self) {
        let AttachedChanges { attached, detached, waits_since } = self.context.attached.take_changes();
        if waits_since.is_some_and(|since| now().saturating_sub(since) > LATE_AFTER) {
            // The process was stopped, or had no processor: mail of that time went to no one.
            self.lose();
        }
        let (mut attached, mut detached) =
            (attached.chunks(ATTACHMENTS_MAX), detached.chunks(ATTACHMENTS_MAX));
        loop {
            let (arrived, gone) = (attached.next().unwrap_or_default(), detached.next().unwrap_or_default());
            if arrived.is_empty() && gone.is_empty() {
                return;
            }
            self.announce(None, arrived.to_vec(), gone.to_vec());
        }
    }

    fn announce_all(&self) {
        let number = |number| u16::try_from(number).unwrap_or(u16::MAX);
        let parts = self.context.attached.take_all(ATTACHMENTS_MAX);
        let count = number(parts.len());
        for (part, users) in parts.into_iter().enumerate() {
            self.announce(Some(SnapshotPart { part: number(part), parts: count }), users, Vec::new());
        }
    }

    fn announce(&self, snapshot: Option<SnapshotPart>, attached: Vec<UserHash>, detached: Vec<UserHash>) {
        let gateway = self.context.config.id.clone();
        self.mail.announce(Attachments { gateway, snapshot, attached, detached });
    }
}

fn now() -> Duration {
    Duration::from_millis(barrage_clock::steady_ms())
}

/// Waits until a moment; for ever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
