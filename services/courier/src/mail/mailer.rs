//! The task of the mail: queues, clocks and sends around the [`Desk`].

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_bus::{Attachments, BusError, Mail, MailGroup, MailReceiver, UserHash};
use barrage_inbox::Changes;
use barrage_store::InboxStore;
use barrage_token::AddressKeys;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::chains::BEAT_EVERY;
use super::desk::{Bounds, Desk, Sent};
use super::queue::{Batches, MailQueue};
use crate::config::CourierConfig;
use crate::metrics::CourierMetrics;

/// Time between two walks over all attached users.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Least time between two roll calls.
const ROLL_CALL_EVERY: Duration = Duration::from_secs(1);
/// Longest read of a group's members. Beyond, its items count as lost.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(2);

/// Tells attached users of committed changes, until it is shut down. It never waits for a gateway.
#[derive(Debug)]
pub struct Mailer {
    mail: Arc<dyn Mail>,
    store: Arc<dyn InboxStore>,
    batches: Batches,
    desk: Desk,
    metrics: CourierMetrics,
    rolled_at: Option<Duration>,
    /// Signs addresses of media in items; `None` where letters have none.
    addresses: Option<Arc<AddressKeys>>,
}

impl Mailer {
    /// Creates the mailer of a courier, and the queue that the loops of its lanes fill.
    pub fn new(
        config: &CourierConfig,
        lanes: u16,
        mail: Arc<dyn Mail>,
        store: Arc<dyn InboxStore>,
        metrics: CourierMetrics,
    ) -> (MailQueue, Mailer) {
        let (queue, batches) = MailQueue::new(lanes);
        let bounds = Bounds {
            attached_users_max: config.attached_users_max,
            members_max: config.group_members_cached_max,
        };
        let desk = Desk::new(rand::random(), lanes, bounds);
        (queue, Mailer { mail, store, batches, desk, metrics, rolled_at: None, addresses: None })
    }

    /// Signs addresses of media in the items that are told, by these keys.
    #[must_use]
    pub fn with_addresses(self, addresses: Option<Arc<AddressKeys>>) -> Self {
        Mailer { addresses, ..self }
    }

    /// Runs until `shutdown`, and then sends what waits.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        while !shutdown.is_cancelled() {
            match self.mail.attachments().await {
                Ok(attachments) => {
                    backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
                    self.follow(attachments, &shutdown).await;
                }
                Err(error) => self.wait_after(&error, &mut backoff, &shutdown).await,
            }
        }
        self.batches.queue.close();
        while let Ok((lane, changes)) = self.batches.queue.try_recv() {
            self.take(lane, &changes).await;
        }
        let rest = self.desk.tick(Duration::MAX);
        self.send(rest);
    }

    /// While nobody announces anything, the queue fills up, and its lanes count as lost.
    async fn wait_after(&self, error: &BusError, backoff: &mut Backoff, shutdown: &CancellationToken) {
        tracing::warn!(%error, "gateways' announcements cannot be read; trying again");
        tokio::select! {
            () = tokio::time::sleep(backoff.next_wait(rand::random())) => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Takes batches and announcements until the shutdown, or until the announcements end.
    async fn follow(&mut self, mut attachments: MailReceiver<Attachments>, shutdown: &CancellationToken) {
        self.call_roll();
        let mut beats = tokio::time::interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweeps = tokio::time::interval(SWEEP_EVERY);
        loop {
            let due = self.desk.due().map(|due| due.saturating_sub(now()));
            tokio::select! {
                Some((lane, changes)) = self.batches.queue.recv() => self.take(lane, &changes).await,
                announced = attachments.next() => match announced {
                    Some(announced) => self.announce(&announced),
                    None => return,
                },
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {
                    let sent = self.desk.tick(now());
                    self.send(sent);
                }
                _ = beats.tick() => {
                    let sent = self.desk.beat(now());
                    self.send(sent);
                }
                _ = sweeps.tick() => self.desk.sweep(now()),
                () = shutdown.cancelled() => return,
            }
            self.take_lost();
            self.metrics.attached.set(i64::try_from(self.desk.attached()).unwrap_or(i64::MAX));
        }
    }

    async fn take(&mut self, lane: u16, changes: &Changes) {
        for group in self.desk.unknown_groups(changes) {
            let reading = tokio::time::timeout(MEMBERS_TIMEOUT, self.store.present(group));
            match reading.await {
                Ok(Ok(members)) => {
                    self.desk.learn(group, members.iter().map(UserHash::of).collect());
                }
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!(lane, "members of a group cannot be read; its items are not told live");
                    self.lose(lane);
                    return;
                }
            }
        }
        let changes = signed(changes, self.addresses.as_deref());
        let sent = self.desk.take(lane, &changes, now());
        self.send(sent);
    }

    fn announce(&mut self, announced: &Attachments) {
        let answered = self.desk.announce(announced, now());
        self.metrics.attaches_ignored.inc_by(answered.ignored);
        self.send(answered.sent);
        if answered.calls_roll {
            self.call_roll();
        }
    }

    fn call_roll(&mut self) {
        let now = now();
        if self.rolled_at.is_none_or(|at| now.saturating_sub(at) >= ROLL_CALL_EVERY) {
            self.rolled_at = Some(now);
            self.mail.call_roll();
        }
    }

    fn take_lost(&mut self) {
        let lost: Vec<_> = self.batches.take_lost().collect();
        lost.into_iter().for_each(|lane| self.lose(lane));
    }

    fn lose(&mut self, lane: u16) {
        self.metrics.mail_lost.inc();
        self.desk.lose(lane);
    }

    fn send(&self, sent: Vec<Sent>) {
        for (gateway, envelope) in sent {
            self.metrics.envelopes.inc();
            let users = envelope.groups.iter().map(|group| group.users.len() as u64).sum();
            self.metrics.mail_frames.inc_by(users);
            let bytes: usize = envelope.groups.iter().map(MailGroup::bytes).sum();
            self.metrics.mail_bytes.inc_by(bytes as u64);
            self.mail.send(&gateway, envelope);
        }
    }
}

/// Returns the changes with addresses of media that are signed now: the tables keep none.
fn signed<'c>(changes: &'c Changes, addresses: Option<&AddressKeys>) -> Cow<'c, Changes> {
    let mut signed = Cow::Borrowed(changes);
    let Some(addresses) = addresses else { return signed };
    let now_secs = barrage_clock::unix_ms() / 1_000;
    for (at, item) in changes.items.iter().enumerate() {
        if let Some(body) = addresses.renewed(&item.body, |_| false, now_secs) {
            signed.to_mut().items[at].body = body;
        }
    }
    signed
}

fn now() -> Duration {
    Duration::from_millis(barrage_clock::steady_ms())
}
