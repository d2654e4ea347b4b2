//! HTTP connections that viewers share, and refusals in HTTP answers.
//!
//! A pool for each of thousands of viewers would keep thousands of idle sockets to entry open.

use std::time::Duration;

use barrage_protocol::code::ErrorBody;

use crate::error::ConnectError;

/// Time after which an unused connection is closed; viewers ask entry seldom.
const IDLE: Duration = Duration::from_secs(10);
/// Maximum number of idle connections to one host.
const IDLE_MAX: usize = 8;
/// Timeout of a TCP connect; a host that does not answer fails by then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections for entry, the race, event streams and polls. Clones share them. A pool must be used on
/// one runtime alone.
#[derive(Debug, Clone)]
pub struct HttpPool(pub(crate) reqwest::Client);

impl HttpPool {
    /// Creates an empty pool, which connects at the first request.
    #[must_use]
    pub fn new() -> Self {
        let builder = reqwest::Client::builder()
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .connect_timeout(CONNECT_TIMEOUT);
        HttpPool(builder.build().expect("a client without TLS needs no resource that can be missing"))
    }
}

impl Default for HttpPool {
    fn default() -> Self {
        HttpPool::new()
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
