//! Where load reports come from.

use std::sync::Arc;

use async_trait::async_trait;
use barrage_scaling::FleetReport;

use super::error::LoadsError;
use super::http::HttpClient;
use super::prometheus::PrometheusLoads;
use super::registry::RegistryLoads;
use super::resource::LoadsSpec;

/// A source of load reports.
#[async_trait]
pub trait Loads: Send + Sync {
    /// The newest report of each gateway that is heard of, with its age.
    async fn read(&self) -> Result<FleetReport, LoadsError>;
}

/// The source that a spec names; `admin` speaks to Barrage itself.
pub(super) fn source(spec: &LoadsSpec, http: &HttpClient, admin: &HttpClient) -> Arc<dyn Loads> {
    match (&spec.entry, &spec.prometheus) {
        (_, Some(prometheus)) => Arc::new(PrometheusLoads::new(prometheus.clone(), http.clone())),
        (Some(entry), None) => Arc::new(RegistryLoads::new(&entry.url, admin.clone())),
        (None, None) => Arc::new(NoLoads),
    }
}

/// A spec that names none is refused before it is asked.
struct NoLoads;

#[async_trait]
impl Loads for NoLoads {
    async fn read(&self) -> Result<FleetReport, LoadsError> {
        Ok(FleetReport::default())
    }
}
