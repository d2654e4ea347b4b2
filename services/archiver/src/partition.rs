//! The loop from one partition of the bus to the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_backoff::Backoff;
use barrage_bus::{Bus, Fault, Report, Stored};
use barrage_protocol::{Sequence, TraceContext};
use barrage_store::{ArchiveEntry, Store, StoreError};
use barrage_trace::{Kind, Span, Tracer};

use crate::config::ArchiverConfig;
use crate::derive::{Readable, entry};
use crate::error::ArchiverError;
use crate::metrics::ArchiverMetrics;
use crate::order::Order;
use crate::rooms::RoomMirror;

/// Maximum wait for the bus to reach the position of the archive.
const TAIL_WAIT: Duration = Duration::from_secs(2);
/// Rest after a batch that was not full, as a multiple of the time that it took. A transaction costs its
/// reads and its sync, whatever the number of messages, so that fewer and larger ones cost less.
const REST_SHARE: u32 = 4;
/// Longest rest after a batch: the history is at most this much older.
const REST_MAX: Duration = Duration::from_millis(50);

/// Archives one partition. A room that moves is in two for a while: the loop of the newer one waits until the
/// other has archived what comes before.
pub(crate) struct Partition {
    number: u16,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    order: Order,
    config: ArchiverConfig,
    metrics: ArchiverMetrics,
    tracer: Tracer,
    rooms: RoomMirror,
    /// Position up to which all messages are archived; `None` until the store was asked.
    position: Option<Sequence>,
    /// Newest position of the bus before the last read that returned nothing.
    seen: Sequence,
    archived: u64,
    /// Share of this partition in the metric.
    lag_messages: i64,
    /// Logs a lasting failure once, and then once a minute.
    bus_fault: Fault,
    store_fault: Fault,
    started: Instant,
}

/// What a step has archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// As many messages as fit into one batch: the bus has more.
    Full,
    /// All that the bus had at the time of the read.
    All,
    /// Nothing: the bus has no more messages.
    Done,
}

impl Partition {
    pub(crate) fn new(
        number: u16,
        bus: Arc<dyn Bus>,
        store: Arc<dyn Store>,
        order: Order,
        config: ArchiverConfig,
        metrics: ArchiverMetrics,
        tracer: Tracer,
    ) -> Self {
        Partition {
            number,
            bus,
            store,
            order,
            config,
            metrics,
            tracer,
            rooms: RoomMirror::default(),
            position: None,
            seen: Sequence::ZERO,
            archived: 0,
            lag_messages: 0,
            bus_fault: Fault::default(),
            store_fault: Fault::default(),
            started: barrage_clock::now(),
        }
    }

    /// Returns the messages written to the store.
    pub(crate) fn archived(&self) -> u64 {
        self.archived
    }

    /// Returns the position of the archive, as far as it is known.
    pub(crate) fn position(&self) -> Sequence {
        self.position.unwrap_or_default()
    }

    /// Archives until an error that only an operator can repair.
    pub(crate) async fn follow(&mut self) -> ArchiverError {
        let mut tail = self.bus.tail(self.number);
        loop {
            // Marked as seen before the read: a message that arrives during the read wakes the wait
            // below.
            drop(tail.borrow_and_update());
            let began = tokio::time::Instant::now();
            match self.step().await {
                Ok(Progress::Full) => continue,
                Ok(Progress::All) => {
                    tokio::time::sleep((began.elapsed() * REST_SHARE).min(REST_MAX)).await;
                    continue;
                }
                Ok(Progress::Done) => {}
                Err(error) => return error,
            }
            let poll = Duration::from_millis(self.config.poll_interval_ms.max(1));
            match tokio::time::timeout(poll, tail.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(_)) => return ArchiverError::BusStopped,
            }
        }
    }

    /// Archives until the bus has no more messages.
    pub(crate) async fn drain(&mut self) -> Result<(), ArchiverError> {
        while self.step().await? != Progress::Done {}
        Ok(())
    }

    /// Archives one batch: reads it from the bus, writes it to the store, moves the position.
    async fn step(&mut self) -> Result<Progress, ArchiverError> {
        let position = match self.position {
            Some(position) => position,
            None => self.find_position().await?,
        };
        let tail = *self.bus.tail(self.number).borrow();
        let mut batch = self.read(position).await;
        let read = batch.len();
        if read > 0 {
            let (order, bus) = (self.order.clone(), Arc::clone(&self.bus));
            let ready = order.ready(self.number, &batch, &*bus).await;
            batch.truncate(ready);
        }
        let Some(last) = batch.last().map(|stored| stored.at) else {
            // A replica may be a moment behind: what there was at the look before is archived, or has left the bus.
            self.order.reach(self.number, std::mem::replace(&mut self.seen, tail));
            self.set_lag(0);
            return Ok(Progress::Done);
        };
        let started_ns = self.tracer.now_ns();
        self.append(&batch).await?;
        self.trace(&batch, started_ns);
        self.position = Some(last);
        self.order.reach(self.number, last);
        self.archived += batch.len() as u64;
        for stored in &batch {
            self.metrics.archived(stored.message.class).inc();
        }
        if batch.len() == read && read < self.config.batch_messages_max {
            self.set_lag(0);
            return Ok(Progress::All);
        }
        self.report_lag(last);
        Ok(Progress::Full)
    }

    /// Records the span of a batch with sampled messages, retries included.
    fn trace(&self, batch: &[Stored], started_ns: u64) {
        let links = self.tracer.links(batch.iter().map(|stored| &*stored.message));
        let Some(first) = links.first() else { return };
        let context = TraceContext { trace: first.trace, span: self.tracer.span_id() };
        let mut span = Span::new("archive room", Kind::Consumer, context, Some(first.span))
            .over(started_ns, self.tracer.now_ns())
            .with("messaging.system", self.tracer.system())
            .with("messaging.operation.name", "archive")
            .with("messaging.operation.type", "process")
            .with("messaging.destination.template", "room.{id}")
            .with("messaging.destination.partition.id", self.number.to_string())
            .with("messaging.batch.message_count", batch.len() as u64);
        span.links = links;
        self.tracer.record(span);
    }

    /// Asks the store for the position of the archive, and checks that the bus does not end before.
    async fn find_position(&mut self) -> Result<Sequence, ArchiverError> {
        let mut backoff = self.backoff();
        let archived = loop {
            match self.store.archived_up_to(self.number).await {
                Ok(archived) => break archived,
                Err(error) => self.wait_after(error, &mut backoff).await?,
            }
        };
        let mut tail = self.bus.tail(self.number);
        // This process may see an older end of the bus than another process archived.
        let reached = tokio::time::timeout(TAIL_WAIT, tail.wait_for(|tail| *tail >= archived)).await;
        let is_reached = matches!(reached, Ok(Ok(_)));
        drop(reached);
        if !is_reached {
            let tail = *tail.borrow();
            return Err(ArchiverError::BusBehind { partition: self.number, tail, archived });
        }
        tracing::info!(partition = self.number, %archived, "archiving starts after this position");
        self.position = Some(archived);
        self.order.reach(self.number, archived);
        Ok(archived)
    }

    /// Reads the next messages, and retries for as long as the bus fails.
    async fn read(&mut self, position: Sequence) -> Vec<Stored> {
        let mut backoff = self.backoff();
        loop {
            match self.bus.read_all(self.number, position, self.config.batch_messages_max.max(1)).await {
                Ok(batch) => {
                    if let Some(Report::Ended { since, .. }) =
                        self.bus_fault.succeeded(self.started.elapsed())
                    {
                        tracing::info!(secs = since.as_secs(), "the bus can be read again");
                    }
                    return batch;
                }
                Err(error) => {
                    self.metrics.bus_failures.inc();
                    if self.bus_fault.failed(self.started.elapsed()).is_some() {
                        tracing::warn!(%error, "the archiver cannot read the bus; trying again");
                    }
                    tokio::time::sleep(backoff.next_ceiling()).await;
                }
            }
        }
    }

    /// Writes a batch, and retries for as long as the store fails.
    async fn append(&mut self, batch: &[Stored]) -> Result<(), ArchiverError> {
        let entries: Vec<ArchiveEntry> = batch.iter().map(|stored| self.derive(stored)).collect();
        let mut backoff = self.backoff();
        while let Err(error) = self.try_append(batch, &entries).await {
            if let Some(last) = self.position {
                self.report_lag(last);
            }
            self.wait_after(error, &mut backoff).await?;
        }
        if let Some(Report::Ended { since, .. }) = self.store_fault.succeeded(self.started.elapsed()) {
            tracing::info!(secs = since.as_secs(), "the store can be written again");
        }
        Ok(())
    }

    async fn try_append(&mut self, batch: &[Stored], entries: &[ArchiveEntry]) -> Result<(), AppendError> {
        let settings = Arc::clone(&self.bus.settings().borrow());
        let work = async {
            self.rooms.write(&*self.store, &settings, batch).await?;
            self.store.append(self.number, entries).await
        };
        let limit = Duration::from_millis(self.config.append_timeout_ms.max(1));
        match tokio::time::timeout(limit, work).await {
            Ok(done) => done.map(drop).map_err(AppendError::Store),
            Err(_) => Err(AppendError::TimedOut),
        }
    }

    fn derive(&self, Stored { at, message }: &Stored) -> ArchiveEntry {
        let (entry, readable) = entry(Arc::clone(message));
        if readable == Readable::No {
            self.metrics.unreadable.inc();
            let (sequence, class) = (message.sequence, message.class.label());
            tracing::error!(%sequence, class, "a body does not have the form of its class; the message is archived without effect");
        }
        ArchiveEntry { at: *at, ..entry }
    }

    /// Waits after a failure that may pass. Returns one that will not.
    async fn wait_after(
        &mut self,
        error: impl Into<AppendError>,
        backoff: &mut Backoff,
    ) -> Result<(), ArchiverError> {
        self.metrics.store_failures.inc();
        let is_logged = self.store_fault.failed(self.started.elapsed()).is_some();
        match error.into() {
            AppendError::Store(error) if !error.is_retryable() => {
                return Err(ArchiverError::Store(error));
            }
            AppendError::Store(error) if is_logged => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the archiver cannot write to the store; trying again"
                );
            }
            AppendError::TimedOut if is_logged => {
                tracing::warn!("a write to the store took too long; trying again");
            }
            AppendError::Store(_) | AppendError::TimedOut => {}
        }
        tokio::time::sleep(backoff.next_ceiling()).await;
        Ok(())
    }

    /// One archiver reads one bus, so waits need no jitter.
    fn backoff(&self) -> Backoff {
        let ArchiverConfig { backoff_initial_ms, backoff_max_ms, .. } = self.config;
        Backoff::new(Duration::from_millis(backoff_initial_ms), Duration::from_millis(backoff_max_ms))
    }

    fn report_lag(&mut self, position: Sequence) {
        let lag = self.bus.tail(self.number).borrow().0.saturating_sub(position.0);
        self.set_lag(i64::try_from(lag).unwrap_or(i64::MAX));
    }

    fn set_lag(&mut self, messages: i64) {
        self.metrics.lag_messages.add(messages.saturating_sub(self.lag_messages));
        self.lag_messages = messages;
    }
}

/// Why a write of a batch failed.
enum AppendError {
    Store(StoreError),
    TimedOut,
}

impl From<StoreError> for AppendError {
    fn from(error: StoreError) -> Self {
        AppendError::Store(error)
    }
}
