//! Starts a loop for each lane, and ends them together.

use std::sync::Arc;

use barrage_bus::Lanes;
use barrage_store::InboxStore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::config::CourierConfig;
use crate::error::CourierError;
use crate::lane::LaneLoop;
use crate::metrics::CourierMetrics;
use crate::sink::MailSink;

/// What the courier has done until it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Events taken into the inbox, those without an effect included.
    pub events: u64,
}

/// What a courier works between: lanes, tables, and who is told.
#[derive(Clone)]
pub struct Parts {
    /// Has the accepted events, in their order.
    pub lanes: Arc<dyn Lanes>,
    /// Has the tables of the inbox.
    pub store: Arc<dyn InboxStore>,
    /// Gets each committed batch.
    pub sink: Arc<dyn MailSink>,
}

/// Takes events of all lanes until `shutdown`, and then what the lanes still hold, for a bounded time. Ends
/// early only by an error that an operator must repair.
pub async fn run(
    config: CourierConfig,
    parts: Parts,
    metrics: CourierMetrics,
    shutdown: CancellationToken,
) -> Result<Report, CourierError> {
    let Parts { lanes, store, sink } = parts;
    let mut loops = JoinSet::new();
    for lane in 0..lanes.lanes() {
        let (lanes, store, sink) = (Arc::clone(&lanes), Arc::clone(&store), Arc::clone(&sink));
        let one = LaneLoop::new(lane, config.clone(), lanes, store, sink, metrics.clone());
        loops.spawn(one.run(shutdown.clone()));
    }
    // The audit ends with the last loop: it is dropped with the set.
    let mut audits = JoinSet::new();
    audits.spawn(audit::run(Arc::clone(&store), metrics, shutdown));
    let mut report = Report::default();
    while let Some(ended) = loops.join_next().await {
        // One lane that cannot go on ends the role: a supervisor starts it again, or an operator looks.
        report.events += ended??;
    }
    Ok(report)
}
