//! Load reports from the fleet's own registry, read from an entry's admin listener.

use async_trait::async_trait;
use barrage_scaling::FleetReport;

use crate::error::LoadsError;
use crate::http::HttpClient;
use crate::loads::LoadSource;

/// Reads the fleet from `GET /v1/admin/fleet` of entry.
pub(crate) struct RegistrySource {
    url: String,
    http: HttpClient,
}

impl RegistrySource {
    pub(crate) fn new(base: &str, http: HttpClient) -> RegistrySource {
        RegistrySource { url: format!("{}/v1/admin/fleet", base.trim_end_matches('/')), http }
    }
}

#[async_trait]
impl LoadSource for RegistrySource {
    async fn read(&self) -> Result<FleetReport, LoadsError> {
        Ok(serde_json::from_slice(&self.http.get(&self.url).await?)?)
    }
}
