//! The loop from bus to store.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use barrage_bus::Bus;
use barrage_protocol::{Message, Sequence};
use barrage_store::{ArchiveEntry, Store, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::derive::{Readable, entry};
use crate::rooms::RoomMirror;
use crate::{ArchiverConfig, ArchiverError, ArchiverMetrics};

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Messages taken into the store.
    pub archived: u64,
    /// The archive's position at the end.
    pub position: Sequence,
    /// Whether everything that the bus held was taken before the end. If not, it
    /// is taken at the next start.
    pub drained: bool,
}

/// Archives until `shutdown`, then takes what is there, and returns. Failures of
/// store and bus are waited out; an error is something only a person can mend,
/// and nothing was skipped.
pub async fn run(
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    config: ArchiverConfig,
    metrics: ArchiverMetrics,
    shutdown: CancellationToken,
) -> Result<Report, ArchiverError> {
    let drain_timeout = Duration::from_millis(config.drain_timeout_ms);
    let mut archiver = Archiver {
        bus,
        store,
        config,
        metrics,
        rooms: RoomMirror::default(),
        position: None,
        archived: 0,
        sweep_at: Instant::now(),
    };
    // Dropped wherever it stands: a transaction is whole or not at all, and what
    // is not known to be archived is read again.
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        error = archiver.follow() => return Err(error),
    }
    let drained = match tokio::time::timeout(drain_timeout, archiver.drain()).await {
        Ok(done) => done.map(|()| true)?,
        Err(_) => {
            tracing::warn!("shutting down before everything was archived; the next start goes on");
            false
        }
    };
    let position = archiver.position.unwrap_or_default();
    Ok(Report { archived: archiver.archived, position, drained })
}

struct Archiver {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    config: ArchiverConfig,
    metrics: ArchiverMetrics,
    rooms: RoomMirror,
    /// Everything up to here is archived; `None` until the store said so.
    position: Option<Sequence>,
    archived: u64,
    /// When old messages are looked for next.
    sweep_at: Instant,
}

/// Whether there may be more to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    More,
    Done,
}

impl Archiver {
    /// Archives and sweeps for ever; returns why it cannot.
    async fn follow(&mut self) -> ArchiverError {
        let mut tail = self.bus.tail();
        loop {
            // Seen before the read: what arrives during it wakes the wait below.
            drop(tail.borrow_and_update());
            let archived = match self.step().await {
                Ok(progress) => progress,
                Err(error) => return error,
            };
            let swept = self.sweep().await;
            if archived == Progress::More || swept == Progress::More {
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
    async fn drain(&mut self) -> Result<(), ArchiverError> {
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
            self.metrics.lag_messages.set(0);
            return Ok(Progress::Done);
        };
        self.append(&batch).await?;
        self.position = Some(last);
        self.archived += batch.len() as u64;
        for message in &batch {
            self.metrics.archived(message.class).inc();
        }
        if batch.len() < self.config.batch_messages_max {
            self.metrics.lag_messages.set(0);
        } else {
            self.report_lag(last);
        }
        Ok(Progress::More)
    }

    /// Where the archive ends, and that the bus does not end before.
    async fn find_position(&mut self) -> Result<Sequence, ArchiverError> {
        let mut backoff = Backoff::new(&self.config);
        let archived = loop {
            match self.store.archived_up_to().await {
                Ok(archived) => break archived,
                Err(error) => self.wait_out(error, &mut backoff).await?,
            }
        };
        let tail = *self.bus.tail().borrow();
        if tail < archived {
            return Err(ArchiverError::BusBehind { tail, archived });
        }
        tracing::info!(%archived, "archiving from here");
        self.position = Some(archived);
        Ok(archived)
    }

    /// The next messages, however long the bus takes to give them.
    async fn read(&self, position: Sequence) -> Vec<Arc<Message>> {
        let mut backoff = Backoff::new(&self.config);
        loop {
            match self.bus.read_all(position, self.config.batch_messages_max.max(1)).await {
                Ok(batch) => return batch,
                Err(error) => {
                    self.metrics.bus_failures.inc();
                    tracing::warn!(%error, "the bus cannot be read; trying again");
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
            self.store.append(entries).await
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
        &self,
        error: impl Into<AppendError>,
        backoff: &mut Backoff,
    ) -> Result<(), ArchiverError> {
        self.metrics.store_failures.inc();
        match error.into() {
            AppendError::Store(error) if !error.is_retryable() => {
                return Err(ArchiverError::Store(error));
            }
            AppendError::Store(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the store failed; trying again");
            }
            AppendError::TimedOut => tracing::warn!("the store is too slow; trying again"),
        }
        tokio::time::sleep(backoff.next()).await;
        Ok(())
    }

    fn report_lag(&self, position: Sequence) {
        let lag = self.bus.tail().borrow().0.saturating_sub(position.0);
        self.metrics.lag_messages.set(i64::try_from(lag).unwrap_or(i64::MAX));
    }

    /// Deletes one chunk of what is too old, when it is time. A failure is not
    /// repeated before the next interval: archiving matters more.
    async fn sweep(&mut self) -> Progress {
        if Instant::now() < self.sweep_at {
            return Progress::Done;
        }
        match self.delete_chunk().await {
            Ok(Progress::More) => return Progress::More,
            Ok(Progress::Done) => {}
            Err(error) => {
                self.metrics.store_failures.inc();
                tracing::warn!(error = &error as &dyn std::error::Error, "old messages could not be deleted");
            }
        }
        let interval = Duration::from_secs(self.config.retention_interval_secs.max(1));
        self.sweep_at = Instant::now() + interval;
        Progress::Done
    }

    async fn delete_chunk(&self) -> Result<Progress, StoreError> {
        let limit = self.config.retention_chunk_rows.clamp(1, barrage_store::HISTORY_LIMIT_MAX);
        let now_ms = unix_ms();
        let mut deleted = self.store.delete_ended_mutes(now_ms, limit).await?;
        if self.config.retention_hours > 0 {
            let age_ms = self.config.retention_hours.saturating_mul(3_600_000);
            let messages = self.store.delete_messages(now_ms.saturating_sub(age_ms), limit).await?;
            self.metrics.deleted.inc_by(messages);
            deleted = deleted.max(messages);
        }
        Ok(if deleted < limit as u64 { Progress::Done } else { Progress::More })
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

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
