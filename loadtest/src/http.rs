//! Short HTTP requests over kept-alive connections: entry, posts, the admin API.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use crate::worker::source::{self, Pace};

/// Largest answer taken.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Why there is no answer; a short name, for the tallies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The connection did not come about.
    #[error("connect")]
    Connect,
    /// The connection ended before the answer.
    #[error("broken")]
    Broken,
    /// No answer in time.
    #[error("timeout")]
    Timeout,
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Value of the `Host` header.
    pub host: String,
    /// Where that is.
    pub address: SocketAddr,
}

impl Target {
    /// Resolves the host of a URL; http and ws alone.
    pub async fn resolve(url: &str) -> Result<(Target, Uri), String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "ws")) {
            return Err(format!("{url}: must begin with http:// or ws://"));
        }
        let name = uri.host().ok_or_else(|| format!("{url}: has no host"))?.to_owned();
        let port = uri.port_u16().unwrap_or(80);
        let mut found = tokio::net::lookup_host((name.trim_matches(['[', ']']), port))
            .await
            .map_err(|error| format!("{name}: {error}"))?;
        let address = found.next().ok_or_else(|| format!("{name}: has no address"))?;
        Ok((Target { host: format!("{name}:{port}"), address }, uri))
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// Bearer.
    pub token: Option<&'a str>,
    /// JSON; empty for none.
    pub body: Bytes,
}

impl<'a> Call<'a> {
    /// A GET.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Call { method: Method::GET, path, token: None, body: Bytes::new() }
    }
}

/// Connections to one target, each from an address of its own. At most so many are open
/// as the pool was made for; a call beyond waits for one, and its wait counts.
#[derive(Debug)]
pub struct Pool {
    target: Target,
    timeout: Duration,
    permits: Semaphore,
    idle: RefCell<VecDeque<SendRequest<Full<Bytes>>>>,
    next_source: RefCell<u32>,
}

impl Pool {
    /// An empty pool; sources count from `first_source`.
    #[must_use]
    pub fn new(target: Target, connections_max: usize, first_source: u32, timeout: Duration) -> Self {
        Pool {
            target,
            timeout,
            permits: Semaphore::new(connections_max),
            idle: RefCell::default(),
            next_source: RefCell::new(first_source),
        }
    }

    /// Where its connections go.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Asks and waits for the whole answer.
    pub async fn call(&self, call: &Call<'_>) -> Result<(StatusCode, Bytes), HttpError> {
        let work = async {
            let _permit = self.permits.acquire().await.map_err(|_| HttpError::Broken)?;
            // A kept connection may have been closed meanwhile: that is no answer, but no
            // failure either. Posts carry an id, so that asking again is harmless.
            let kept = self.idle.borrow_mut().pop_front();
            if let Some(kept) = kept.filter(|kept| !kept.is_closed())
                && let Ok(answer) = self.send(kept, call).await
            {
                return Ok(answer);
            }
            let fresh = self.open().await?;
            self.send(fresh, call).await
        };
        tokio::time::timeout(self.timeout, work).await.map_err(|_| HttpError::Timeout)?
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let source = self.next_source.replace_with(|n| n.wrapping_add(1));
        let stream = source::connect(self.target.address, source, Pace::Full).await;
        let stream = stream.map_err(|_| HttpError::Connect)?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|_| HttpError::Connect)?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn send(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        call: &Call<'_>,
    ) -> Result<(StatusCode, Bytes), HttpError> {
        sender.ready().await.map_err(|_| HttpError::Broken)?;
        let mut request =
            Request::builder().method(&call.method).uri(call.path).header("host", &self.target.host);
        if let Some(token) = call.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !call.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(call.body.clone())).map_err(|_| HttpError::Broken)?;
        let response = sender.send_request(request).await.map_err(|_| HttpError::Broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|_| HttpError::Broken)?.to_bytes();
        self.idle.borrow_mut().push_back(sender);
        Ok((status, body))
    }
}
