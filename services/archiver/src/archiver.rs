//! A run: the bus's partitions side by side, and what keeps the archive small.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::Bus;
use barrage_protocol::Sequence;
use barrage_store::Store;
use futures_util::future::{select_all, try_join_all};
use tokio_util::sync::CancellationToken;

use crate::partition::Partition;
use crate::sweep;
use crate::{ArchiverConfig, ArchiverError, ArchiverMetrics};

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Messages taken into the store.
    pub archived: u64,
    /// The archive's position in each partition at the end.
    pub positions: Vec<Sequence>,
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
    let partition = |number| {
        Partition::new(number, Arc::clone(&bus), Arc::clone(&store), config.clone(), metrics.clone())
    };
    let mut partitions: Vec<_> = (0..bus.partitions()).map(partition).collect();
    // Dropped wherever it stands: a transaction is whole or not at all, and what
    // is not known to be archived is read again.
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        (error, _, _) = select_all(partitions.iter_mut().map(|partition| Box::pin(partition.follow()))) => {
            return Err(error);
        }
        () = sweep::run(&*store, &config, &metrics) => {}
    }
    let drains = try_join_all(partitions.iter_mut().map(Partition::drain));
    let drained = match tokio::time::timeout(Duration::from_millis(config.drain_timeout_ms), drains).await {
        Ok(done) => done.map(|_| true)?,
        Err(_) => {
            tracing::warn!("shutting down before everything was archived; the next start goes on");
            false
        }
    };
    Ok(Report {
        archived: partitions.iter().map(Partition::archived).sum(),
        positions: partitions.iter().map(Partition::position).collect(),
        drained,
    })
}
