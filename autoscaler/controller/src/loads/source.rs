//! A source of load reports.

use async_trait::async_trait;
use barrage_scaling::FleetReport;

use crate::error::LoadsError;

/// Source of load reports: the admin listener of entry, or Prometheus.
#[async_trait]
pub trait LoadSource: Send + Sync {
    /// Reads the newest report of each gateway, with its age.
    async fn read(&self) -> Result<FleetReport, LoadsError>;
}
