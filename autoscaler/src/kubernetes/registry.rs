//! Load reports from the fleet's own registry, by way of an entry replica.

use async_trait::async_trait;
use barrage_scaling::FleetReport;

use super::error::LoadsError;
use super::http::HttpClient;
use super::loads::Loads;

/// Asks `GET /v1/admin/fleet`.
pub(super) struct RegistryLoads {
    url: String,
    http: HttpClient,
}

impl RegistryLoads {
    pub(super) fn new(base: &str, http: HttpClient) -> RegistryLoads {
        RegistryLoads { url: format!("{}/v1/admin/fleet", base.trim_end_matches('/')), http }
    }
}

#[async_trait]
impl Loads for RegistryLoads {
    async fn read(&self) -> Result<FleetReport, LoadsError> {
        Ok(serde_json::from_slice(&self.http.get(&self.url).await?)?)
    }
}
