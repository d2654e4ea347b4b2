//! Commands to the admin listeners of gateways and entry.

use std::collections::BTreeMap;

use async_trait::async_trait;
use barrage_scaling::GatewayId;
use http::Method;
use serde_json::json;

use crate::http::{HttpClient, HttpError};

/// Commands to gateways and entry. Every command may be repeated.
#[async_trait]
pub trait AdminCommands: Send + Sync {
    /// Makes a gateway refuse joins and send all viewers away within `within_secs`.
    async fn start_drain(&self, address: &str, within_secs: u64) -> Result<(), HttpError>;
    /// Makes a gateway admit joins again; viewers not yet notified stay.
    async fn cancel_drain(&self, address: &str) -> Result<(), HttpError>;
    /// Makes a gateway send a share of its viewers, 0 to 1, to other gateways.
    async fn give_back(&self, address: &str, share: f64) -> Result<(), HttpError>;
    /// Sets the weight factor of `gateways` to 0 for a while; `entry` is the base URL of an
    /// entry's admin listener.
    async fn shut(&self, entry: &str, gateways: &[GatewayId]) -> Result<(), HttpError>;
}

/// Sends [`AdminCommands`] as HTTP requests to the admin listeners of gateways and entry.
#[derive(Debug, Clone)]
pub(crate) struct HttpAdminCommands {
    /// Client of entry, which is named by its URL.
    entry: HttpClient,
    /// Client of gateways, which are named by their address.
    gateways: HttpClient,
    /// Scheme of the gateways' admin listeners.
    scheme: &'static str,
}

impl HttpAdminCommands {
    /// Commands over plain HTTP, but for an entry whose URL begins with `https`.
    pub(crate) fn new(http: HttpClient) -> Self {
        HttpAdminCommands { gateways: http.clone(), entry: http, scheme: "http" }
    }

    /// The same, with TLS to the gateways by a client that knows the name of their certificate.
    pub(crate) fn with_tls_gateways(self, gateways: HttpClient) -> Self {
        HttpAdminCommands { gateways, scheme: "https", ..self }
    }

    fn url(&self, address: &str, command: &str) -> String {
        format!("{}://{address}/v1/admin/{command}", self.scheme)
    }
}

#[async_trait]
impl AdminCommands for HttpAdminCommands {
    async fn start_drain(&self, address: &str, within_secs: u64) -> Result<(), HttpError> {
        let body = json!({ "within_secs": within_secs }).to_string().into_bytes();
        self.gateways.send(Method::POST, &self.url(address, "drain"), body).await.map(drop)
    }

    async fn cancel_drain(&self, address: &str) -> Result<(), HttpError> {
        self.gateways.send(Method::DELETE, &self.url(address, "drain"), Vec::new()).await.map(drop)
    }

    async fn give_back(&self, address: &str, share: f64) -> Result<(), HttpError> {
        let body = json!({ "share": share }).to_string().into_bytes();
        self.gateways.send(Method::POST, &self.url(address, "give-back"), body).await.map(drop)
    }

    async fn shut(&self, entry: &str, gateways: &[GatewayId]) -> Result<(), HttpError> {
        let factors: BTreeMap<&GatewayId, f64> = gateways.iter().map(|id| (id, 0.0)).collect();
        let body = json!({ "factors": factors }).to_string().into_bytes();
        let url = format!("{}/v1/admin/factors", entry.trim_end_matches('/'));
        self.entry.send(Method::PUT, &url, body).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::extract::Request;
    use barrage_http::{Front, HttpConfig, Tls};
    use barrage_testkit::certificates;
    use barrage_tls::ClientTls;
    use parking_lot::Mutex;
    use serde_json::Value;

    use super::*;
    use crate::http::tests::serve;

    #[tokio::test]
    async fn gateway_commands_go_to_its_admin_listener() {
        let received: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let receive = {
            let received = Arc::clone(&received);
            async move |request: Request| {
                let route = format!("{} {}", request.method(), request.uri().path());
                let body = axum::body::to_bytes(request.into_body(), 1_000).await.unwrap();
                received.lock().push((route, serde_json::from_slice(&body).unwrap_or(Value::Null)));
            }
        };
        let address = serve(Router::new().fallback(receive)).await;
        let commands = HttpAdminCommands::new(HttpClient::default());
        commands.start_drain(&address, 96).await.unwrap();
        commands.cancel_drain(&address).await.unwrap();
        commands.give_back(&address, 0.25).await.unwrap();
        let expected = [
            ("POST /v1/admin/drain".into(), json!({ "within_secs": 96 })),
            ("DELETE /v1/admin/drain".into(), Value::Null),
            ("POST /v1/admin/give-back".into(), json!({ "share": 0.25 })),
        ];
        assert_eq!(*received.lock(), expected);
    }

    #[tokio::test]
    async fn gateways_with_tls_are_verified_by_name_and_reached_by_address() {
        let folder = tempfile::tempdir().unwrap();
        certificates::make(folder.path());
        let config = HttpConfig {
            tls_cert_file: Some(folder.path().join("cert.pem")),
            tls_key_file: Some(folder.path().join("key.pem")),
            ..HttpConfig::default()
        };
        let front = Front { tls: Tls::load(&config).unwrap(), ..Front::default() };
        let listener = barrage_http::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(async || "{}");
        tokio::spawn(barrage_http::serve_public(vec![listener], router, front, config, Default::default()));
        let trusting = ClientTls::load(Some(&folder.path().join("ca.pem"))).unwrap();
        let drain = async |tls: &ClientTls, name: &str| {
            let commands = HttpAdminCommands::new(HttpClient::new(tls));
            commands
                .with_tls_gateways(HttpClient::of_name(tls, name.to_owned().try_into().unwrap()))
                .start_drain(&address, 9)
                .await
        };
        drain(&trusting, "localhost").await.unwrap();
        let other = drain(&trusting, "gateway.example").await.unwrap_err().to_string();
        assert!(other.contains("for another name"), "{other}");
        let stranger = drain(&ClientTls::system(), "localhost").await.unwrap_err().to_string();
        assert!(stranger.contains("UnknownIssuer") && stranger.contains("--ca-file"), "{stranger}");
    }
}
