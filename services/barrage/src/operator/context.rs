use std::sync::Arc;

use barrage_bus::Bus;
use prometheus::Registry;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::fleet_calls::FleetCalls;
use super::overview::OverviewCache;
use crate::health::Readiness;

/// Parts of a process that its console reads.
pub(crate) struct OperatorParts {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) registry: Registry,
    pub(crate) readiness: Readiness,
    /// Base URL of this process's own admin API, for instances that report none.
    pub(crate) own_url: String,
    pub(crate) version: &'static str,
    pub(crate) revision: &'static str,
    /// Cancelled when the process starts to stop; live tails end then.
    pub(crate) stop: CancellationToken,
}

/// Handles that the routes of the console share.
pub(super) struct Operator {
    pub(super) parts: OperatorParts,
    pub(super) calls: FleetCalls,
    pub(super) overview: OverviewCache,
    pub(super) tails: Arc<Semaphore>,
}
