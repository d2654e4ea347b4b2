//! Orders to gateways and to entry, by their admin listeners.

use std::collections::BTreeMap;

use async_trait::async_trait;
use barrage_scaling::GatewayId;
use http::Method;
use serde_json::json;

use super::http::{HttpClient, HttpError};

/// Gateways that can be told to send viewers elsewhere, and entry. Orders may be repeated.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Send all viewers away within so many seconds and take no new ones.
    async fn drain(&self, address: &str, within_secs: u64) -> Result<(), HttpError>;
    /// Take viewers again.
    async fn call_off(&self, address: &str) -> Result<(), HttpError>;
    /// Send a share of the viewers away.
    async fn give_back(&self, address: &str, share: f64) -> Result<(), HttpError>;
    /// Tell entry to send nobody to these for a while; `entry` is its admin listener's URL.
    async fn shut(&self, entry: &str, gateways: &[GatewayId]) -> Result<(), HttpError>;
}

/// Gateways' admin listeners.
#[derive(Debug, Clone, Default)]
pub(super) struct AdminOrders(pub(super) HttpClient);

#[async_trait]
impl Orders for AdminOrders {
    async fn drain(&self, address: &str, within_secs: u64) -> Result<(), HttpError> {
        let body = json!({ "within_secs": within_secs }).to_string().into_bytes();
        self.0.send(Method::POST, &format!("http://{address}/v1/admin/drain"), body).await.map(drop)
    }

    async fn call_off(&self, address: &str) -> Result<(), HttpError> {
        let url = format!("http://{address}/v1/admin/drain");
        self.0.send(Method::DELETE, &url, Vec::new()).await.map(drop)
    }

    async fn give_back(&self, address: &str, share: f64) -> Result<(), HttpError> {
        let body = json!({ "share": share }).to_string().into_bytes();
        self.0.send(Method::POST, &format!("http://{address}/v1/admin/give-back"), body).await.map(drop)
    }

    async fn shut(&self, entry: &str, gateways: &[GatewayId]) -> Result<(), HttpError> {
        let factors: BTreeMap<&GatewayId, f64> = gateways.iter().map(|id| (id, 0.0)).collect();
        let body = json!({ "factors": factors }).to_string().into_bytes();
        let url = format!("{}/v1/admin/factors", entry.trim_end_matches('/'));
        self.0.send(Method::PUT, &url, body).await.map(drop)
    }
}
