//! A run: one loop for each partition of the bus, also of those that it grows by, and the sweep of old messages.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, grown};
use barrage_protocol::Sequence;
use barrage_store::Store;
use barrage_trace::Tracer;
use futures_util::future::{select_all, try_join_all};
use tokio_util::sync::CancellationToken;

use crate::config::ArchiverConfig;
use crate::error::ArchiverError;
use crate::metrics::ArchiverMetrics;
use crate::order::Order;
use crate::partition::Partition;
use crate::sweep;

/// The result of a run that ended by the shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Number of messages written to the store.
    pub archived: u64,
    /// Position of the archive in each partition at the end.
    pub positions: Vec<Sequence>,
    /// Whether all messages of the bus were archived before the end. The next start archives the
    /// others.
    pub drained: bool,
}

/// Archives until `shutdown`, then archives the messages that the bus still holds, and returns.
/// Failures of store and bus are retried.
///
/// # Errors
/// When only an operator can repair the cause. No message was skipped.
pub async fn run(
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    config: ArchiverConfig,
    metrics: ArchiverMetrics,
    tracer: Tracer,
    shutdown: CancellationToken,
) -> Result<Report, ArchiverError> {
    let order = Order::new();
    let partition = |number| {
        let (bus, store, order) = (Arc::clone(&bus), Arc::clone(&store), order.clone());
        Partition::new(number, bus, store, order, config.clone(), metrics.clone(), tracer.clone())
    };
    let mut partitions: Vec<Partition> = Vec::new();
    // Shutdown and growth may drop a loop at any await: a transaction is whole or absent, and messages that
    // are not known to be archived are read again.
    loop {
        let (known, now) = (u16::try_from(partitions.len()).unwrap_or(u16::MAX), bus.partitions());
        partitions.extend((known..now).map(partition));
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            (error, _, _) = select_all(partitions.iter_mut().map(|partition| Box::pin(partition.follow()))) => {
                return Err(error);
            }
            () = sweep::run(&*store, &config, &metrics) => {}
            () = grown(&*bus, now) => {}
        }
    }
    let drains = try_join_all(partitions.iter_mut().map(Partition::drain));
    let drained = match tokio::time::timeout(Duration::from_millis(config.drain_timeout_ms), drains).await {
        Ok(done) => done.map(|_| true)?,
        Err(_) => {
            tracing::warn!(
                "the shutdown came before all messages were archived; the next start archives the others"
            );
            false
        }
    };
    Ok(Report {
        archived: partitions.iter().map(Partition::archived).sum(),
        positions: partitions.iter().map(Partition::position).collect(),
        drained,
    })
}
