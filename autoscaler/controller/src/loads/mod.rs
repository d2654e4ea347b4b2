//! Sources of load reports: the fleet's own registry, or Prometheus.

mod prometheus;
mod registry;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use barrage_scaling::FleetReport;

use self::prometheus::PrometheusSource;
use self::registry::RegistrySource;
use crate::error::LoadsError;
use crate::http::HttpClient;
use crate::resource::LoadsSpec;

pub use source::LoadSource;

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
