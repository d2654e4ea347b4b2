//! The loop from one lane to the tables of the inbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_backoff::Backoff;
use barrage_bus::{BusError, Fault, LaneEntry, Lanes, Report};
use barrage_inbox::{Entry, Event};
use barrage_protocol::Sequence;
use barrage_store::{InboxError, InboxStore};
use tokio_util::sync::CancellationToken;

use crate::config::CourierConfig;
use crate::error::CourierError;
use crate::metrics::CourierMetrics;
use crate::retention::Retention;
use crate::sink::{Batch, MailSink};

/// Rest after a batch that was not full, as a multiple of the time that it took: a transaction costs its sync,
/// whatever the number of events, so that fewer and larger ones cost less.
const REST_SHARE: u32 = 1;
/// Longest rest after a batch: a letter is readable at most this much later.
const REST_MAX: Duration = Duration::from_millis(5);

pub(crate) struct LaneLoop {
    lane: u16,
    config: CourierConfig,
    lanes: Arc<dyn Lanes>,
    store: Arc<dyn InboxStore>,
    sink: Arc<dyn MailSink>,
    metrics: CourierMetrics,
    lag: prometheus::Gauge,
    retention: Retention,
    /// Unix time of acceptance of the oldest event that waits, in milliseconds; `None` when none waits.
    oldest_ms: Option<u64>,
    /// Position of the lane in the inbox; `None` until the store was asked.
    position: Option<Sequence>,
    /// Position up to which the sink knows the changes; `None` until the store was asked.
    told: Option<Sequence>,
    /// A batch had no answer: it may be committed.
    is_uncertain: bool,
    events: u64,
    forgot: Instant,
    lane_fault: Fault,
    store_fault: Fault,
    /// Waits between attempts; begins anew with each success.
    backoff: Backoff,
}

/// What a step has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// As many events as fit into one batch: the lane may hold more.
    Full,
    /// All that the lane held at the time of the read.
    All,
    /// Nothing: the lane holds no more.
    Done,
    /// Nothing: another courier has moved the lane on, or a call failed and was waited for.
    Again,
}

impl LaneLoop {
    pub(crate) fn new(
        lane: u16,
        config: CourierConfig,
        lanes: Arc<dyn Lanes>,
        store: Arc<dyn InboxStore>,
        sink: Arc<dyn MailSink>,
        metrics: CourierMetrics,
    ) -> Self {
        let backoff = config.backoff();
        let retention = Retention::new(lane, lanes.lanes(), &config);
        LaneLoop {
            lane,
            config,
            lanes,
            store,
            sink,
            lag: metrics.lag_of(lane),
            retention,
            oldest_ms: None,
            metrics,
            position: None,
            told: None,
            is_uncertain: false,
            events: 0,
            forgot: barrage_clock::now(),
            lane_fault: Fault::default(),
            store_fault: Fault::default(),
            backoff,
        }
    }

    /// Takes events until the shutdown, then the rest, for a bounded time. Returns the number of events.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<u64, CourierError> {
        tokio::select! {
            error = self.follow() => return Err(error),
            () = shutdown.cancelled() => {}
        }
        let timeout = self.config.drain_timeout();
        if let Ok(drained) = tokio::time::timeout(timeout, self.drain()).await {
            drained?;
        }
        Ok(self.events)
    }

    /// Takes events until an error that only an operator can repair.
    async fn follow(&mut self) -> CourierError {
        let mut tail = self.lanes.tail(self.lane);
        loop {
            // Marked as seen before the read: an event that arrives during the read wakes the wait below.
            drop(tail.borrow_and_update());
            let began = barrage_clock::now();
            match self.step().await {
                Ok(Progress::Full | Progress::Again) => continue,
                Ok(Progress::All) => {
                    self.tidy().await;
                    tokio::time::sleep((began.elapsed() * REST_SHARE).min(REST_MAX)).await;
                    continue;
                }
                Ok(Progress::Done) => self.tidy().await,
                Err(error) => return error,
            }
            match tokio::time::timeout(self.config.poll_interval(), tail.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(_)) => return CourierError::LanesEnded,
            }
        }
    }

    async fn drain(&mut self) -> Result<(), CourierError> {
        while self.step().await? != Progress::Done {}
        Ok(())
    }

    /// Takes one batch: reads it from the lane, and lets the store decide and write it.
    async fn step(&mut self) -> Result<Progress, CourierError> {
        let after = match self.position {
            Some(position) => position,
            None => match self.store.mark(self.lane).await {
                Ok(mark) => {
                    // Where another courier went on, it has told of its batches.
                    let has_moved = self.told.replace(mark).is_some_and(|told| told < mark);
                    if std::mem::take(&mut self.is_uncertain) && has_moved {
                        self.sink.lost(self.lane);
                    }
                    *self.position.insert(mark)
                }
                Err(error) => return self.store_failed(Sequence::ZERO, error).await,
            },
        };
        let read = match self.lanes.read(self.lane, after, self.config.batch_events_max).await {
            Ok(read) => read,
            Err(error) => return Ok(self.lane_failed(&error).await),
        };
        self.lane_is_back();
        self.waits_since(read.first().map(|entry| entry.at_ms));
        let Some(up_to) = read.last().map(|entry| entry.sequence) else { return Ok(Progress::Done) };
        let entries: Vec<Entry> = read.iter().filter_map(|entry| self.readable(entry)).collect();
        let timer = self.metrics.batch_seconds.start_timer();
        match self.store.project(self.lane, after, up_to, &entries).await {
            Ok(changes) => {
                timer.observe_duration();
                self.metrics.count(&changes.outcomes);
                self.metrics.rows.inc_by(changes.rows() as u64);
                self.sink.committed(Batch { lane: self.lane, up_to, changes });
                self.told = Some(up_to);
            }
            Err(error) => {
                timer.stop_and_discard();
                self.is_uncertain |= error.is_retryable();
                return self.store_failed(after, error).await;
            }
        }
        self.store_is_back();
        self.position = Some(up_to);
        self.events += entries.len() as u64;
        Ok(if read.len() == self.config.batch_events_max { Progress::Full } else { Progress::All })
    }

    /// Parses an event. One that an unknown version wrote, or that is damaged, must not stop a lane.
    fn readable(&self, entry: &LaneEntry) -> Option<Entry> {
        match Event::from_json(&entry.body) {
            Ok(event) => Some(Entry { sequence: entry.sequence, at_ms: entry.at_ms, event }),
            Err(error) => {
                self.metrics.unreadable.inc();
                tracing::error!(lane = self.lane, sequence = %entry.sequence, %error, "an inbox event is skipped");
                None
            }
        }
    }

    /// Waits after a failure that may pass, and forgets the position, which may be another one now.
    async fn store_failed(&mut self, after: Sequence, error: InboxError) -> Result<Progress, CourierError> {
        self.position = None;
        if let InboxError::Fenced { .. } = error {
            self.metrics.fenced.inc();
            tracing::debug!(lane = self.lane, %after, "another courier has moved the lane on");
            // The other one goes on meanwhile: two that meet at each batch would halve its speed.
            tokio::time::sleep(REST_MAX).await;
            return Ok(Progress::Again);
        }
        if !error.is_retryable() {
            return Err(CourierError::Store { lane: self.lane, after, source: error });
        }
        self.metrics.store_failures.inc();
        self.waits_since(self.oldest_ms);
        let lane = self.lane;
        match self.store_fault.failed(now()) {
            Some(Report::Began) => {
                let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(lane, %error, reason, "the inbox cannot be written; letters wait in the lane");
            }
            Some(Report::Lasts { failures, since }) => {
                tracing::error!(lane, failures, secs = since.as_secs(), "the inbox still cannot be written");
            }
            Some(Report::Ended { .. }) | None => {}
        }
        self.pause().await;
        Ok(Progress::Again)
    }

    /// Notes how long the oldest event waits.
    fn waits_since(&mut self, oldest_ms: Option<u64>) {
        self.oldest_ms = oldest_ms;
        let waited_ms = oldest_ms.map_or(0, |oldest_ms| barrage_clock::unix_ms().saturating_sub(oldest_ms));
        self.lag.set(Duration::from_millis(waited_ms).as_secs_f64());
    }

    fn store_is_back(&mut self) {
        if let Some(Report::Ended { failures, since }) = self.store_fault.succeeded(now()) {
            tracing::info!(lane = self.lane, failures, secs = since.as_secs(), "the inbox is written again");
        }
        self.backoff = self.config.backoff();
    }

    async fn lane_failed(&mut self, error: &BusError) -> Progress {
        self.metrics.lane_failures.inc();
        if let Some(Report::Began | Report::Lasts { .. }) = self.lane_fault.failed(now()) {
            tracing::error!(lane = self.lane, %error, "the lane cannot be read");
        }
        self.pause().await;
        Progress::Again
    }

    fn lane_is_back(&mut self) {
        if let Some(Report::Ended { failures, since }) = self.lane_fault.succeeded(now()) {
            tracing::info!(lane = self.lane, failures, secs = since.as_secs(), "the lane is read again");
        }
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.backoff.next_wait(rand::random())).await;
    }

    /// Does what may wait: removes old events of the lane, and old items of the inbox.
    async fn tidy(&mut self) {
        self.forget_old().await;
        let Some(position) = self.position else { return };
        match self.retention.step(&*self.store, position, &self.metrics).await {
            Ok(()) => {}
            // Another courier has the lane: the next batch shows where it is.
            Err(InboxError::Fenced { .. }) => self.position = None,
            Err(error) => tracing::warn!(lane = self.lane, %error, "old items could not be removed"),
        }
    }

    /// Removes old events that the inbox has, now and then. A failure only leaves them longer.
    async fn forget_old(&mut self) {
        let interval = Duration::from_secs(self.config.forget_interval_secs);
        let Some(position) = self.position.filter(|_| self.forgot.elapsed() >= interval) else { return };
        self.forgot = barrage_clock::now();
        let before_ms = barrage_clock::unix_ms().saturating_sub(self.config.keep_secs.saturating_mul(1_000));
        if let Err(error) = self.lanes.forget(self.lane, position, before_ms).await {
            tracing::warn!(lane = self.lane, %error, "old inbox events could not be removed");
        }
    }
}

fn now() -> Duration {
    Duration::from_millis(barrage_clock::steady_ms())
}
