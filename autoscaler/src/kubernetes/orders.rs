//! Orders to gateways, by their admin listeners.

use async_trait::async_trait;
use http::Method;
use serde_json::json;

use super::http::{HttpClient, HttpError};

/// Gateways that can be told to send viewers elsewhere. Orders may be repeated.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Send all viewers away within so many seconds and take no new ones.
    async fn drain(&self, address: &str, within_secs: u64) -> Result<(), HttpError>;
    /// Take viewers again.
    async fn call_off(&self, address: &str) -> Result<(), HttpError>;
    /// Send a share of the viewers away.
    async fn give_back(&self, address: &str, share: f64) -> Result<(), HttpError>;
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
}
