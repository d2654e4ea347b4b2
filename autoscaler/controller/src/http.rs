//! An HTTP client for addresses inside the cluster, without TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

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
    #[error("no connection: {}", causes(.0))]
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

/// Texts of an error and of all its sources; the last one names the cause.
fn causes(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// HTTP client without TLS, with a timeout for each request. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    inner: Client<HttpConnector, Full<Bytes>>,
    token_file: Option<Arc<Path>>,
}

impl Default for HttpClient {
    fn default() -> Self {
        HttpClient { inner: Client::builder(TokioExecutor::new()).build_http(), token_file: None }
    }
}

impl HttpClient {
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
