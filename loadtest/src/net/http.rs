//! Short HTTP requests over kept-alive connections: entry, posts, the admin API.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use barrage_tls::{ClientStream, ClientTls};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use super::source::{self, Pace};

/// Maximum size of an answer's body, in bytes.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Time limit for a TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a request has no answer. The text is the reason in counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The TCP connection could not be opened.
    #[error("connect")]
    Connect,
    /// The connection ended before the whole answer had arrived.
    #[error("broken")]
    Broken,
    /// The answer did not arrive within the pool's timeout.
    #[error("timeout")]
    Timeout,
}

/// Server that requests are sent to, resolved once.
#[derive(Debug, Clone)]
pub struct Target {
    /// Value of the `Host` header of each request.
    pub host: String,
    /// Address that the name of the host resolved to.
    pub address: SocketAddr,
    /// Authorities for an encrypted connection; `None` for a plain one.
    pub tls: Option<ClientTls>,
}

impl Target {
    /// Resolves the host of a URL with the scheme http, https, ws or wss.
    pub async fn resolve(url: &str, tls: &ClientTls) -> Result<(Target, Uri), String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let (tls, default_port) = match uri.scheme_str() {
            Some("http" | "ws") => (None, 80),
            Some("https" | "wss") => (Some(tls.clone()), 443),
            _ => return Err(format!("{url}: must begin with http://, https://, ws:// or wss://")),
        };
        let name = uri.host().ok_or_else(|| format!("{url}: has no host"))?.to_owned();
        let port = uri.port_u16().unwrap_or(default_port);
        let mut found = tokio::net::lookup_host((name.trim_matches(['[', ']']), port))
            .await
            .map_err(|error| format!("{name}: {error}"))?;
        let address = found.next().ok_or_else(|| format!("{name}: has no address"))?;
        Ok((Target { host: format!("{name}:{port}"), address, tls }, uri))
    }

    /// Connects from source `n`, with a TLS handshake where the scheme of the URL demands it.
    pub(crate) async fn connect(&self, n: u32, pace: Pace) -> io::Result<ClientStream> {
        let stream = source::connect(self.address, n, pace).await?;
        let Some(tls) = &self.tls else { return Ok(ClientStream::Plain(stream)) };
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        tokio::time::timeout(TLS_TIMEOUT, tls.connect(name, stream))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Encoding that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// The body as it is.
    No,
    /// A body that gzip compressed, as browsers ask for.
    Gzip,
}

/// A request without its target, which the pool adds.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// HTTP method of the request, such as GET.
    pub method: Method,
    /// Path of the request, with its query.
    pub path: &'a str,
    /// Bearer token for the `Authorization` header; absent for public routes.
    pub token: Option<&'a str>,
    /// JSON body; empty when there is none.
    pub body: Bytes,
    /// Further header fields. A `content-type` among them replaces that of JSON.
    pub fields: &'a [(&'a str, String)],
}

impl<'a> Call<'a> {
    /// Returns a GET request without a token and without a body.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Call { method: Method::GET, path, token: None, body: Bytes::new(), fields: &[] }
    }
}

/// Connections to one target, each from its own source address. The pool opens a limited number of
/// connections; a call beyond waits for a free one, and its waiting counts as latency.
#[derive(Debug)]
pub struct Pool {
    target: Target,
    timeout: Duration,
    permits: Semaphore,
    idle: RefCell<VecDeque<SendRequest<Full<Bytes>>>>,
    next_source: RefCell<u32>,
}

impl Pool {
    /// An empty pool. Its connections use the sources from number `first_source` on.
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

    /// Returns the server that the pool connects to.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends a request, and returns the whole answer.
    pub async fn call(&self, call: &Call<'_>) -> Result<(StatusCode, Bytes), HttpError> {
        self.call_as(call, Encoded::No).await
    }

    /// Sends a request, and returns the whole answer and its field `Location`.
    pub async fn call_for_location(
        &self,
        call: &Call<'_>,
    ) -> Result<(StatusCode, Bytes, Option<String>), HttpError> {
        self.exchange(call, Encoded::No, || ()).await
    }

    /// Sends a request, and returns the whole answer, compressed where it is asked for: the bytes of the wire.
    pub async fn call_as(&self, call: &Call<'_>, encoded: Encoded) -> Result<(StatusCode, Bytes), HttpError> {
        self.call_then(call, encoded, || ()).await
    }

    /// Sends a request as [`Pool::call_as`] does. `begins` is called when a connection is free for it.
    pub async fn call_then(
        &self,
        call: &Call<'_>,
        encoded: Encoded,
        begins: impl FnOnce(),
    ) -> Result<(StatusCode, Bytes), HttpError> {
        let (status, body, _) = self.exchange(call, encoded, begins).await?;
        Ok((status, body))
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        encoded: Encoded,
        begins: impl FnOnce(),
    ) -> Result<(StatusCode, Bytes, Option<String>), HttpError> {
        let work = async {
            let _permit = self.permits.acquire().await.map_err(|_| HttpError::Broken)?;
            begins();
            // The server may have closed an idle connection meanwhile. That is no failure: the
            // request is sent again on a new connection. Posts carry an id, so repeating one is
            // harmless.
            let kept = self.idle.borrow_mut().pop_front();
            if let Some(kept) = kept.filter(|kept| !kept.is_closed())
                && let Ok(answer) = self.send(kept, call, encoded).await
            {
                return Ok(answer);
            }
            let fresh = self.open().await?;
            self.send(fresh, call, encoded).await
        };
        tokio::time::timeout(self.timeout, work).await.map_err(|_| HttpError::Timeout)?
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let source = self.next_source.replace_with(|n| n.wrapping_add(1));
        let stream = self.target.connect(source, Pace::Full).await.map_err(|_| HttpError::Connect)?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|_| HttpError::Connect)?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn send(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        call: &Call<'_>,
        encoded: Encoded,
    ) -> Result<(StatusCode, Bytes, Option<String>), HttpError> {
        sender.ready().await.map_err(|_| HttpError::Broken)?;
        let mut request =
            Request::builder().method(&call.method).uri(call.path).header("host", &self.target.host);
        if let Some(token) = call.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if encoded == Encoded::Gzip {
            request = request.header("accept-encoding", "gzip");
        }
        for (name, value) in call.fields {
            request = request.header(*name, value);
        }
        let has_type = call.fields.iter().any(|(name, _)| *name == "content-type");
        if !call.body.is_empty() && !has_type {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(call.body.clone())).map_err(|_| HttpError::Broken)?;
        let response = sender.send_request(request).await.map_err(|_| HttpError::Broken)?;
        let status = response.status();
        let location = response.headers().get(hyper::header::LOCATION);
        let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|_| HttpError::Broken)?.to_bytes();
        self.idle.borrow_mut().push_back(sender);
        Ok((status, body, location))
    }
}
