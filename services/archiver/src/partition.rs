//! The loop from one partition of the bus to the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_bus::{Bus, Fault, Report};
use barrage_protocol::{Message, Sequence};
use barrage_store::{ArchiveEntry, Store, StoreError};

use crate::backoff::Backoff;
use crate::derive::{Readable, entry};
use crate::rooms::RoomMirror;
use crate::{ArchiverConfig, ArchiverError, ArchiverMetrics};

/// How long the bus may take to say that it holds what is archived.
const TAIL_WAIT: Duration = Duration::from_secs(2);

/// Takes one partition over. Those of a bus have no room in common, and so nothing
/// to do with each other.
pub(crate) struct Partition {
    number: u16,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    config: ArchiverConfig,
    metrics: ArchiverMetrics,
    rooms: RoomMirror,
    /// Everything up to here is archived; `None` until the store said so.
    position: Option<Sequence>,
    archived: u64,
    /// Its share of the metric.
    lag_messages: i64,
    /// A failure that lasts is logged once, and then once a minute.
    bus_fault: Fault,
    store_fault: Fault,
    started: Instant,
}

/// Whether there may be more to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    More,
    Done,
}

impl Partition {
    pub(crate) fn new(
        number: u16,
        bus: Arc<dyn Bus>,
        store: Arc<dyn Store>,
        config: ArchiverConfig,
        metrics: ArchiverMetrics,
    ) -> Self {
        Partition {
            number,
            bus,
            store,
            config,
            metrics,
            rooms: RoomMirror::default(),
            position: None,
            archived: 0,
            lag_messages: 0,
            bus_fault: Fault::default(),
            store_fault: Fault::default(),
            started: Instant::now(),
        }
    }

    /// Messages taken into the store.
    pub(crate) fn archived(&self) -> u64 {
        self.archived
    }

    /// Where the archive ends, as far as it is known.
    pub(crate) fn position(&self) -> Sequence {
        self.position.unwrap_or_default()
    }

    /// Archives for ever; returns why it cannot.
    pub(crate) async fn follow(&mut self) -> ArchiverError {
        let mut tail = self.bus.tail(self.number);
        loop {
            // Seen before the read: what arrives during it wakes the wait below.
            drop(tail.borrow_and_update());
            let archived = match self.step().await {
                Ok(progress) => progress,
                Err(error) => return error,
            };
            if archived == Progress::More {
                continue;
            }
            let poll = Duration::from_millis(self.config.poll_interval_ms.max(1));
            match tokio::time::timeout(poll, tail.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(_)) => return ArchiverError::BusStopped,
            }
        }
    }

    /// Archives until the bus has no more.
    pub(crate) async fn drain(&mut self) -> Result<(), ArchiverError> {
        while self.step().await? == Progress::More {}
        Ok(())
    }

    /// Takes one batch over.
    async fn step(&mut self) -> Result<Progress, ArchiverError> {
        let position = match self.position {
            Some(position) => position,
            None => self.find_position().await?,
        };
        let batch = self.read(position).await;
        let Some(last) = batch.last().map(|message| message.sequence) else {
            self.set_lag(0);
            return Ok(Progress::Done);
        };
        self.append(&batch).await?;
        self.position = Some(last);
        self.archived += batch.len() as u64;
        for message in &batch {
            self.metrics.archived(message.class).inc();
        }
        if batch.len() < self.config.batch_messages_max {
            self.set_lag(0);
        } else {
            self.report_lag(last);
        }
        Ok(Progress::More)
    }

    /// Where the archive ends, and that the bus does not end before.
    async fn find_position(&mut self) -> Result<Sequence, ArchiverError> {
        let mut backoff = Backoff::new(&self.config);
        let archived = loop {
            match self.store.archived_up_to(self.number).await {
                Ok(archived) => break archived,
                Err(error) => self.wait_out(error, &mut backoff).await?,
            }
        };
        let mut tail = self.bus.tail(self.number);
        // What this process knows of the bus may be older than what another archived.
        let told = tokio::time::timeout(TAIL_WAIT, tail.wait_for(|tail| *tail >= archived)).await;
        let holds_it = matches!(told, Ok(Ok(_)));
        drop(told);
        if !holds_it {
            let tail = *tail.borrow();
            return Err(ArchiverError::BusBehind { partition: self.number, tail, archived });
        }
        tracing::info!(partition = self.number, %archived, "archiving from here");
        self.position = Some(archived);
        Ok(archived)
    }

    /// The next messages, however long the bus takes to give them.
    async fn read(&mut self, position: Sequence) -> Vec<Arc<Message>> {
        let mut backoff = Backoff::new(&self.config);
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
                        tracing::warn!(%error, "the archiver cannot read the bus; it tries again");
                    }
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    }

    /// Keeps the batch, however often it takes.
    async fn append(&mut self, batch: &[Arc<Message>]) -> Result<(), ArchiverError> {
        let entries: Vec<ArchiveEntry> = batch.iter().map(|message| self.derive(message)).collect();
        let mut backoff = Backoff::new(&self.config);
        while let Err(error) = self.try_append(batch, &entries).await {
            if let Some(last) = self.position {
                self.report_lag(last);
            }
            self.wait_out(error, &mut backoff).await?;
        }
        if let Some(Report::Ended { since, .. }) = self.store_fault.succeeded(self.started.elapsed()) {
            tracing::info!(secs = since.as_secs(), "the store can be written again");
        }
        Ok(())
    }

    async fn try_append(
        &mut self,
        batch: &[Arc<Message>],
        entries: &[ArchiveEntry],
    ) -> Result<(), AppendError> {
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

    fn derive(&self, message: &Arc<Message>) -> ArchiveEntry {
        let (entry, readable) = entry(Arc::clone(message));
        if readable == Readable::No {
            self.metrics.unreadable.inc();
            let (sequence, class) = (message.sequence, message.class.label());
            tracing::error!(%sequence, class, "a body is not what its class promises; archived without effect");
        }
        entry
    }

    /// Waits after a failure that may pass; hands back one that will not.
    async fn wait_out(
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
                    "the store failed; the archiver tries again"
                );
            }
            AppendError::TimedOut if is_logged => {
                tracing::warn!("the store is too slow; the archiver tries again");
            }
            AppendError::Store(_) | AppendError::TimedOut => {}
        }
        tokio::time::sleep(backoff.next()).await;
        Ok(())
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

/// Why a batch was not kept this time.
enum AppendError {
    Store(StoreError),
    TimedOut,
}

impl From<StoreError> for AppendError {
    fn from(error: StoreError) -> Self {
        AppendError::Store(error)
    }
}
