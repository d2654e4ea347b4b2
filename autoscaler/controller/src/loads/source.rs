//! A source of load reports, and which one a spec selects.

use std::sync::Arc;

use async_trait::async_trait;
use barrage_scaling::FleetReport;

use super::prometheus::PrometheusSource;
use super::registry::RegistrySource;
use crate::error::LoadsError;
use crate::http::HttpClient;
use crate::resource::LoadsSpec;

/// Source of load reports: the admin listener of entry, or Prometheus.
#[async_trait]
pub trait LoadSource: Send + Sync {
    /// Reads the newest report of each gateway, with its age.
    async fn read(&self) -> Result<FleetReport, LoadsError>;
}

/// Returns the source that a spec selects. `admin` carries the token for Barrage's admin
/// listeners; `http` carries none.
pub(crate) fn source(spec: &LoadsSpec, http: &HttpClient, admin: &HttpClient) -> Arc<dyn LoadSource> {
    match (&spec.entry, &spec.prometheus) {
        (_, Some(prometheus)) => Arc::new(PrometheusSource::new(prometheus.clone(), http.clone())),
        (Some(entry), None) => Arc::new(RegistrySource::new(&entry.url, admin.clone())),
        (None, None) => Arc::new(NoSource),
    }
}

/// Source of a spec that selects none. The settings check refuses such a spec before any read.
struct NoSource;

#[async_trait]
impl LoadSource for NoSource {
    async fn read(&self) -> Result<FleetReport, LoadsError> {
        Ok(FleetReport::default())
    }
}
