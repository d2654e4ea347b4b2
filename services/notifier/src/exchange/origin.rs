//! One host of a service: its connection, breaker and pause.

use std::time::Duration;

use barrage_flow::{Breaker, BreakerConfig, CallOutcome, Permit};
use barrage_tls::ClientTls;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::link::{Link, LinkError};
use super::origins::Names;
use super::request::{Answer, Outgoing};

/// Longest wait for a turn. A request that waited longer is about a state that may have changed.
const TURN_MAX: Duration = Duration::from_secs(1);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The request was not sent: the host asked for a pause, or its breaker is open.
    #[error("the host is not asked for the next {} ms", .0.as_millis())]
    Paused(Duration),
    /// The request was not sent: too many were in flight for too long.
    #[error("too many requests to the host are in flight")]
    Busy,
    /// No answer came in time.
    #[error("no answer came within the deadline")]
    Late,
    /// The connection failed, or the address is not permitted.
    #[error("{0}")]
    Failed(String),
}

/// Bounds of the requests to one host.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) deadline: Duration,
    pub(crate) parallel_max: usize,
    pub(crate) breaker: BreakerConfig,
}

/// A host with its one connection.
pub(super) struct Origin {
    host: String,
    port: u16,
    shared: AsyncMutex<Option<SendRequest<Full<Bytes>>>>,
    breaker: Mutex<Breaker>,
    /// Steady time before which nothing is sent.
    paused_until: Mutex<Duration>,
    turns: Semaphore,
}

impl Origin {
    pub(super) fn new(host: String, port: u16, bounds: &Bounds) -> Self {
        Origin {
            host,
            port,
            shared: AsyncMutex::new(None),
            breaker: Mutex::new(Breaker::new(bounds.breaker.clone())),
            paused_until: Mutex::new(Duration::ZERO),
            turns: Semaphore::new(bounds.parallel_max),
        }
    }

    /// Sends a request within the bounds. A `Retry-After` of 429 or 503 pauses the host.
    pub(super) async fn send(
        &self,
        outgoing: &Outgoing,
        names: &Names,
        tls: &ClientTls,
        bounds: &Bounds,
    ) -> Result<Answer, SendError> {
        self.check_pause()?;
        let turn = tokio::time::timeout(TURN_MAX, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(SendError::Busy) };
        self.check_pause()?;
        let permit = self.breaker.lock().acquire(steady()).map_err(SendError::Paused)?;
        let mut call = Call { origin: self, permit: Some(permit), began: steady() };
        match tokio::time::timeout(bounds.deadline, self.exchange(outgoing, names, tls)).await {
            Ok(Ok(answer)) => {
                let is_broken = answer.status >= 500;
                call.end(if is_broken { CallOutcome::Failed } else { CallOutcome::Answered });
                if let (429 | 503, Some(wait)) = (answer.status, answer.retry_after) {
                    self.pause(wait.min(Duration::from_secs(3_600)));
                }
                Ok(answer)
            }
            Ok(Err(error)) => {
                call.end(CallOutcome::Failed);
                Err(SendError::Failed(error.to_string()))
            }
            Err(_) => {
                call.end(CallOutcome::Failed);
                // The connection may be dead without a sign of it. Its other requests end by themselves.
                if let Ok(mut shared) = self.shared.try_lock() {
                    *shared = None;
                }
                Err(SendError::Late)
            }
        }
    }

    async fn exchange(
        &self,
        outgoing: &Outgoing,
        names: &Names,
        tls: &ClientTls,
    ) -> Result<Answer, LinkError> {
        let (mut link, is_new) = self.link(names, tls).await?;
        match link.send(outgoing).await {
            // The service closed the connection between two requests: another one takes the request.
            Err(LinkError::Http(error)) if !is_new && !error.is_timeout() => {
                *self.shared.lock().await = None;
                let (mut link, _) = self.link(names, tls).await?;
                link.send(outgoing).await
            }
            ended => ended,
        }
    }

    /// Returns the connection, and whether it is new. All wait for one that is being opened.
    async fn link(&self, names: &Names, tls: &ClientTls) -> Result<(Link, bool), LinkError> {
        let mut shared = self.shared.lock().await;
        if let Some(sender) = shared.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok((Link::Shared(sender.clone()), false));
        }
        let addresses = names.addresses(&self.host, self.port).await?;
        let link = Link::open(&addresses, &self.host, tls).await?;
        *shared = match &link {
            Link::Shared(sender) => Some(sender.clone()),
            Link::Single(_) => None,
        };
        Ok((link, true))
    }

    fn check_pause(&self) -> Result<(), SendError> {
        let wait = self.paused_until.lock().saturating_sub(steady());
        if wait.is_zero() { Ok(()) } else { Err(SendError::Paused(wait)) }
    }

    fn pause(&self, wait: Duration) {
        let mut paused = self.paused_until.lock();
        *paused = (steady() + wait).max(*paused);
    }
}

/// A request in flight. Dropping it returns its permit.
struct Call<'a> {
    origin: &'a Origin,
    permit: Option<Permit>,
    began: Duration,
}

impl Call<'_> {
    fn end(&mut self, outcome: CallOutcome) {
        let Some(permit) = self.permit.take() else { return };
        let now = steady();
        self.origin.breaker.lock().record(permit, outcome, now.saturating_sub(self.began), now);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.end(CallOutcome::Abandoned);
    }
}

fn steady() -> Duration {
    Duration::from_millis(barrage_clock::steady_ms())
}
