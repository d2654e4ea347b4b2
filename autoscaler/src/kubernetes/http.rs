//! Plain HTTP to addresses inside the cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// A question that takes longer has failed: the next decision is near.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Some kilobytes for each of a thousand gateways.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The URL is none.
    #[error("bad request: {0}")]
    Request(#[from] http::Error),
    /// The token's file cannot be read.
    #[error("the token's file: {0}")]
    Token(#[source] std::io::Error),
    /// No connection, or it broke.
    #[error("no connection: {}", causes(.0))]
    Connect(#[from] hyper_util::client::legacy::Error),
    /// The answer's body broke off or is too long.
    #[error("the answer broke off or is too long: {0}")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another status than success.
    #[error("status {0}")]
    Status(StatusCode),
    /// It took too long.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

/// An error and what it came from: the last one says what happened.
fn causes(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A client; cheap to clone, it shares its connections.
#[derive(Debug, Clone)]
pub(super) struct HttpClient {
    inner: Client<HttpConnector, Full<Bytes>>,
    token_file: Option<Arc<Path>>,
}

impl Default for HttpClient {
    fn default() -> Self {
        HttpClient { inner: Client::builder(TokioExecutor::new()).build_http(), token_file: None }
    }
}

impl HttpClient {
    /// The same client with a bearer token for each request. The file is read each time, so
    /// that a token may be replaced.
    pub(super) fn with_token(&self, file: &Path) -> HttpClient {
        HttpClient { inner: self.inner.clone(), token_file: Some(file.into()) }
    }

    /// The body of a successful answer. A body that is sent is JSON.
    pub(super) async fn send(&self, method: Method, url: &str, body: Vec<u8>) -> Result<Bytes, HttpError> {
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

    /// The body of what is found there.
    pub(super) async fn get(&self, url: &str) -> Result<Bytes, HttpError> {
        self.send(Method::GET, url, Vec::new()).await
    }
}
