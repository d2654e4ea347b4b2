//! HTTP clients for Prometheus and for the admin listeners of entry and gateways.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use barrage_tls::ClientTls;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::ServerName;

/// Longest time for one request. A pass waits for it, and the next pass comes after seconds.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longest body of an answer: some kilobytes for each of a thousand gateways.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Why a request has no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The request cannot be built, as when the URL cannot be parsed.
    #[error("the request cannot be built: {0}")]
    Request(#[from] http::Error),
    /// The token file, which each request reads again, cannot be read.
    #[error("the token file cannot be read: {0}")]
    Token(#[source] std::io::Error),
    /// No connection could be opened, or the connection broke before the answer.
    #[error("no connection: {}", barrage_tls::reason(.0))]
    Connect(#[from] hyper_util::client::legacy::Error),
    /// The body broke off, or it is longer than the limit.
    #[error("the body broke off or is too long: {0}")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer's status is not a success.
    #[error("status {0}")]
    Status(StatusCode),
    /// The whole answer, body included, did not arrive within the timeout.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

/// Settings of the controller's requests.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// File with a token of the role admin, sent to the admin listeners of entry and gateways alone.
    pub token_file: Option<PathBuf>,
    /// File with authorities to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Name in the certificate of the gateways' admin listeners, which are reached by the address of
    /// their pod. `None` uses plain HTTP for them.
    pub gateway_tls_name: Option<ServerName<'static>>,
}

/// HTTP client with a timeout for each request. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    inner: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    token_file: Option<Arc<Path>>,
}

#[cfg(test)]
impl Default for HttpClient {
    fn default() -> Self {
        HttpClient::new(&ClientTls::system())
    }
}

impl HttpClient {
    /// Returns a client whose URLs say whether it uses TLS.
    pub(crate) fn new(tls: &ClientTls) -> HttpClient {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls.rustls()).https_or_http();
        HttpClient::over(connector.enable_http1().build())
    }

    /// Returns a client of servers that all have a certificate for `name`, whatever their address is.
    pub(crate) fn of_name(tls: &ClientTls, name: ServerName<'static>) -> HttpClient {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls.rustls()).https_only();
        HttpClient::over(
            connector.with_server_name_resolver(FixedServerNameResolver::new(name)).enable_http1().build(),
        )
    }

    fn over(connector: HttpsConnector<HttpConnector>) -> HttpClient {
        HttpClient { inner: Client::builder(TokioExecutor::new()).build(connector), token_file: None }
    }

    /// Returns a client that sends a bearer token. The file is read for each request, so that
    /// the token can be replaced without a restart.
    pub(crate) fn with_token(&self, file: &Path) -> HttpClient {
        HttpClient { inner: self.inner.clone(), token_file: Some(file.into()) }
    }

    /// Sends a request with a JSON body, and returns the body of a successful answer.
    pub(crate) async fn send(&self, method: Method, url: &str, body: Vec<u8>) -> Result<Bytes, HttpError> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(file) = &self.token_file {
            let token = std::fs::read_to_string(file).map_err(HttpError::Token)?;
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(body)))?;
        let answer = async {
            let answer = self.inner.request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            if !status.is_success() {
                return Err(HttpError::Status(status));
            }
            Ok(body.map_err(HttpError::Body)?.to_bytes())
        };
        tokio::time::timeout(TIMEOUT, answer).await.map_err(|_| HttpError::Timeout)?
    }

    /// Returns the body at a URL. A status that is not a success is an error.
    pub(crate) async fn get(&self, url: &str) -> Result<Bytes, HttpError> {
        self.send(Method::GET, url, Vec::new()).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::Router;

    /// Serves a router on a free port and returns the address.
    pub(crate) async fn serve(router: Router) -> String {
        let listener = barrage_http::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let never = tokio_util::sync::CancellationToken::new();
        let config = barrage_http::HttpConfig::default();
        tokio::spawn(barrage_http::serve(vec![listener], router, config, never));
        address
    }
}
