//! The loop over the queue: takes rows that are due, and settles each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_inbox::Notify;
use barrage_protocol::inbox::{Folder, NotificationSettings};
use barrage_push::{Device, NoteKind, Plan, Presence as Seen, Waiting, plan, wants};
use barrage_store::{DeviceRecord, Due, InboxError, PushKind, PushStore, Settled, Take};
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::PushConfig;
use crate::dispatch::{Delivered, Dispatch};
use crate::error::NotifierError;
use crate::metrics::{Fate, NotifierMetrics};
use crate::note;
use crate::presence::Presence;

/// Rows that are taken at once: what was read of them must not be old when they are sent.
const TAKE_MAX: usize = 64;
/// Time between two counts of the queue.
const SHOWN_EVERY: Duration = Duration::from_secs(5);
/// Time from a newer item that joined a row to its notification, as for a first item.
const NEWER_MS: u64 = 5_000;

/// Sends rows that are due, each under a lease.
pub(crate) struct Queue {
    config: Arc<PushConfig>,
    store: Arc<dyn PushStore>,
    dispatch: Arc<Dispatch>,
    presence: Arc<dyn Presence>,
    metrics: NotifierMetrics,
}

impl Queue {
    pub(crate) fn new(
        config: Arc<PushConfig>,
        store: Arc<dyn PushStore>,
        dispatch: Arc<Dispatch>,
        presence: Arc<dyn Presence>,
        metrics: NotifierMetrics,
    ) -> Self {
        Queue { config, store, dispatch, presence, metrics }
    }

    /// Sends until the shutdown, and then lets what is in flight end. Returns the number of rows that were settled.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<u64, NotifierError> {
        let this = Arc::new(self);
        let places = Arc::new(Semaphore::new(this.config.rows_max));
        let mut rows = JoinSet::new();
        let mut settled = 0;
        let mut backoff = PushConfig::store_backoff();
        let mut shown_at = None;
        while !shutdown.is_cancelled() {
            while let Some(ended) = rows.try_join_next() {
                settled += u64::from(ended.unwrap_or(false));
            }
            this.show_waiting(&mut shown_at).await;
            // Only what can be sent at once is taken.
            let free = places.available_permits().min(TAKE_MAX);
            let taken = if free == 0 { Ok(Vec::new()) } else { this.take(free).await };
            let wait = match taken {
                Ok(taken) => {
                    backoff = PushConfig::store_backoff();
                    let is_full = taken.len() == free && free > 0;
                    for due in taken {
                        let (this, place) = (Arc::clone(&this), Arc::clone(&places).try_acquire_owned());
                        rows.spawn(async move {
                            let is_settled = this.handle(due).await;
                            drop(place);
                            is_settled
                        });
                    }
                    if is_full { Duration::ZERO } else { this.until_due().await }
                }
                Err(error) if error.is_retryable() => {
                    this.metrics.failures.inc();
                    tracing::warn!(%error, "the queue of notifications cannot be read");
                    backoff.next_wait(rand::random())
                }
                Err(error) => return Err(NotifierError::Store(error)),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => {}
                // A place is free again while all were taken.
                Some(ended) = rows.join_next(), if places.available_permits() == 0 => {
                    settled += u64::from(ended.unwrap_or(false));
                }
            }
        }
        while let Some(ended) = rows.join_next().await {
            settled += u64::from(ended.unwrap_or(false));
        }
        Ok(settled)
    }

    async fn take(&self, limit: usize) -> Result<Vec<Due>, InboxError> {
        let take = Take {
            now_ms: barrage_clock::unix_ms(),
            lease_ms: self.config.lease_secs * 1_000,
            limit,
            taken: rand::random_range(1..=i64::MAX),
        };
        self.store.take_due(take).await
    }

    /// Returns the time until a row is due, at most the interval between two looks.
    async fn until_due(&self) -> Duration {
        let interval = Duration::from_millis(self.config.poll_interval_ms);
        let Ok(first_ms) = self.store.next_due().await else { return interval };
        let now_ms = barrage_clock::unix_ms();
        let late_ms = first_ms.map_or(0, |first_ms| now_ms.saturating_sub(first_ms));
        self.metrics.late_seconds.set(i64::try_from(late_ms / 1_000).unwrap_or(i64::MAX));
        let until =
            first_ms.map_or(interval, |first_ms| Duration::from_millis(first_ms.saturating_sub(now_ms)));
        // Another sender may be about to take what is due.
        until.clamp(Duration::from_millis(5), interval)
    }

    /// Shows how much waits, now and then.
    async fn show_waiting(&self, shown_at: &mut Option<Instant>) {
        if shown_at.is_some_and(|at| at.elapsed() < SHOWN_EVERY) {
            return;
        }
        *shown_at = Some(barrage_clock::now());
        if let Ok(count) = self.store.waiting().await {
            self.metrics.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Sends what one row is about, and settles it. Returns whether this attempt still had the row.
    async fn handle(&self, due: Due) -> bool {
        let (fate, settled) = match self.decide(&due) {
            None => (Fate::Dropped, done()),
            Some(devices) if devices.is_empty() => (Fate::Dropped, done()),
            Some(devices) => self.send(&due, &devices).await,
        };
        self.metrics.row(fate);
        match self.store.settle(&due, &settled).await {
            Ok(is_settled) => is_settled,
            Err(error) => {
                // The lease ends, and the row is taken again: the same collapse id replaces what was sent.
                self.metrics.failures.inc();
                tracing::warn!(%error, "a notification could not be settled");
                false
            }
        }
    }

    /// Returns the devices that get the notification; `None` when nobody is to get it any more.
    fn decide(&self, due: &Due) -> Option<Vec<DeviceRecord>> {
        let member = due.member.as_ref().filter(|member| member.is_present())?;
        let settings = due.settings.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let settings: NotificationSettings = settings.unwrap_or_default();
        let now_ms = barrage_clock::unix_ms();
        let wants_conversation = match (due.kind, member.notify) {
            (_, Notify::All) | (PushKind::Mention, Notify::Mention) => member.folder == Folder::Main,
            _ => false,
        };
        let state = barrage_push::Due {
            now_ms,
            read: member.counters.read.position.0.max(member.cleared.0),
            wants: wants_conversation && wants(&settings, note::kind(due.kind), now_ms),
            total: u32::try_from(due.total).unwrap_or(u32::MAX),
        };
        let seen = |device: &DeviceRecord| Device {
            id: device.device.clone(),
            presence: if self.presence.looks(&due.id, &device.device) { Seen::Looks } else { Seen::Away },
            badge: device.badge,
        };
        let devices: Vec<_> = due.devices.iter().map(seen).collect();
        // The row was due when it was taken.
        let row = Waiting { due_ms: 0, up_to: due.up_to };
        match plan(row, state, &devices) {
            Plan::Wait | Plan::Drop => None,
            Plan::Send { devices, .. } => {
                let is_left = |id: &String| due.rest.as_ref().is_none_or(|rest| rest.contains(id));
                let gets =
                    |device: &&DeviceRecord| devices.contains(&device.device) && is_left(&device.device);
                Some(due.devices.iter().filter(gets).cloned().collect())
            }
        }
    }

    /// Sends to the devices at once.
    async fn send(&self, due: &Due, devices: &[DeviceRecord]) -> (Fate, Settled) {
        let Some(note) = note::of_row(due) else { return (Fate::Dropped, done()) };
        let sends = devices.iter().map(|device| self.dispatch.deliver(due.user, device, &note));
        let delivered = join_all(sends).await;
        let (mut told, mut rest, mut asked) = (Vec::new(), Vec::new(), None::<Duration>);
        for (device, delivered) in devices.iter().zip(delivered) {
            match delivered {
                Delivered::Taken => told.push(device.device.clone()),
                Delivered::Never => {}
                Delivered::Later(after) => {
                    rest.push(device.device.clone());
                    asked = asked.max(after);
                }
            }
        }
        if !told.is_empty() {
            let now_ms = barrage_clock::unix_ms();
            if let Err(error) = self.store.note_badge(due.user, &told, note.badge, now_ms).await {
                self.metrics.failures.inc();
                tracing::debug!(%error, "a badge could not be noted");
            }
        }
        if rest.is_empty() {
            return (Fate::Sent, done());
        }
        if due.attempts + 1 >= self.config.attempts_max {
            return (Fate::Exhausted, done());
        }
        let wait = self.config.wait(due.attempts, asked, rand::random());
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        (Fate::Again, Settled::Again { due_ms: barrage_clock::unix_ms().saturating_add(wait_ms), rest })
    }
}

fn done() -> Settled {
    Settled::Done { newer_due_ms: barrage_clock::unix_ms() + NEWER_MS }
}

/// What a follower wants of hosts who are live.
pub(crate) fn wants_live(settings: Option<&str>) -> bool {
    let settings = settings.and_then(|text| serde_json::from_str(text).ok());
    wants(&settings.unwrap_or_default(), NoteKind::Live, barrage_clock::unix_ms())
}
