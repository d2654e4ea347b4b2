//! HTTP connections that viewers share, and refusals in HTTP answers.
//!
//! A pool for each of thousands of viewers would keep thousands of idle sockets to entry open.

use std::time::Duration;

use barrage_protocol::code::ErrorBody;
use barrage_tls::ClientTls;
use tokio::time::Instant;

use crate::address;
use crate::dial::{Dialer, HttpProxy};
use crate::error::ConnectError;

/// Time after which an unused connection is closed; viewers ask entry seldom.
const IDLE: Duration = Duration::from_secs(10);
/// Time after which an unused connection for posts is closed. A server keeps it for 2 minutes
/// (`http.idle_secs`); the client closes it first, so that no post meets a connection that is being closed.
pub(crate) const POSTS_IDLE: Duration = Duration::from_secs(115);
/// Maximum number of idle connections to one host.
const IDLE_MAX: usize = 8;
/// Timeout of a TCP connect; a host that does not answer fails by then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections for entry, the race, event streams and polls, and the authorities and the proxy of these
/// and of WebSockets. Clones share them. A pool must be used on one runtime alone.
#[derive(Debug, Clone)]
pub struct HttpPool {
    pub(crate) http: reqwest::Client,
    pub(crate) dialer: Dialer,
}

impl HttpPool {
    /// Creates an empty pool, which connects at the first request and trusts the system's authorities.
    #[must_use]
    pub fn new() -> Self {
        HttpPool::with_tls(&ClientTls::system())
    }

    /// Creates an empty pool, which trusts the authorities of `tls`.
    #[must_use]
    pub fn with_tls(tls: &ClientTls) -> Self {
        HttpPool::with_proxy(tls, None)
    }

    /// Creates an empty pool, whose connections all go through the proxy if there is one.
    #[must_use]
    pub fn with_proxy(tls: &ClientTls, proxy: Option<HttpProxy>) -> Self {
        HttpPool::build(Dialer::new(tls.clone(), proxy), |builder| {
            builder.pool_idle_timeout(IDLE).pool_max_idle_per_host(IDLE_MAX)
        })
    }

    /// Creates an empty pool for posts, whose connections stay open between them.
    pub(crate) fn for_posts(tls: &ClientTls) -> Self {
        HttpPool::build(Dialer::new(tls.clone(), None), |builder| builder.pool_idle_timeout(POSTS_IDLE))
    }

    fn build(
        dialer: Dialer,
        settings: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        let http = settings(common(address::builder(&dialer.book), &dialer))
            .build()
            .expect("a client with its TLS settings needs no resource that can be missing");
        HttpPool { http, dialer }
    }

    /// Sends a request. While its connect fails at addresses of the book, sends it again: each failure
    /// leaves fewer addresses, and at last DNS. The caller bounds the time.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<reqwest::Response> {
        if self.dialer.book.is_empty() {
            return request.send().await;
        }
        let mut request = request.build()?;
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let addresses = || self.dialer.book.candidates(&host, Instant::now()).len();
        loop {
            let (before, again) = (addresses(), request.try_clone());
            match (self.http.execute(request).await, again) {
                (Err(error), Some(again)) if error.is_connect() && addresses() < before => request = again,
                (answered, _) => return answered,
            }
        }
    }

    /// Returns a builder of clients that ask DNS alone, for one question to entry.
    pub(crate) fn without_book(&self) -> reqwest::ClientBuilder {
        common(reqwest::Client::builder(), &self.dialer)
    }
}

impl Default for HttpPool {
    fn default() -> Self {
        HttpPool::new()
    }
}

/// Adds authorities, proxy and limits, which are the same for every client of a pool.
fn common(builder: reqwest::ClientBuilder, dialer: &Dialer) -> reqwest::ClientBuilder {
    let builder = builder
        .tls_backend_preconfigured(dialer.tls.rustls())
        // A redirect is the answer of a captive portal, not of Barrage.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT);
    match &dialer.proxy {
        Some(proxy) => builder.proxy(proxy.for_requests()),
        None => builder,
    }
}

/// Passes a success through, and turns an error answer into its refusal.
pub(crate) async fn refusal(response: reqwest::Response) -> Result<reqwest::Response, ConnectError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    match response.json::<ErrorBody>().await {
        Ok(body) => Err(ConnectError::Refused(body.error)),
        Err(_) => Err(ConnectError::Failed(format!("status {status}"))),
    }
}

/// Converts milliseconds of a server to a duration of a day at most, so that arithmetic on the result
/// cannot overflow.
pub(crate) fn from_ms(ms: u64) -> Duration {
    Duration::from_millis(ms.min(24 * 3600 * 1000))
}
