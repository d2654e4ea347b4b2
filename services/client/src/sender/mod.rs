//! Sends posts: short requests over keep-alive connections, retried under the same id. Where the network
//! alters or blocks them, they go through the tunnel.

mod accounts;
mod attempt;
mod letters;
mod moderation;
mod round;
mod transport;
mod tunnel;
mod uplink_order;
mod uplinks;
mod warmth;

use std::sync::Arc;
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Package, PackageAnswer, Post, PostAnswer};
use barrage_protocol::{Code, RoomId};
use barrage_tls::ClientTls;
use bytes::Bytes;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

pub use self::accounts::Accounts;
use self::attempt::{Attempt, Request};
pub use self::letters::Letters;
use self::round::{Round, SharedLadder};
pub use self::transport::UplinkTransport;
use self::uplinks::Uplinks;
use self::warmth::Warmth;
use crate::config::SenderConfig;
use crate::error::SendError;
use crate::http::HttpPool;
use crate::ladder::{FailureCause, LadderEvent};
use crate::viewer::{Activity, Viewer};

/// Bounds of the wait between attempts, when the server names no time.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Uplinks that are tried on one rung before the next rung: one of them may be away.
const UPLINKS_MAX: usize = 2;

/// What becomes of a refusal that a later retry may avoid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusals {
    /// The sender waits and tries again, until the deadline.
    Retry,
    /// The caller gets it at once.
    Return,
}

/// Sender of posts in the name of one user. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Sender {
    pool: HttpPool,
    uplinks: Arc<Uplinks>,
    ladder: Arc<SharedLadder>,
    warmth: Arc<Warmth>,
    /// Viewer of the same user, which examines its connection at each post.
    activity: Option<Activity>,
    config: SenderConfig,
}

impl Sender {
    /// Creates a sender, which connects at the first post and trusts the system's authorities.
    pub fn new(config: SenderConfig) -> Result<Self, SendError> {
        Sender::with_tls(config, &ClientTls::system())
    }

    /// Creates a sender, which trusts the authorities of `tls`.
    pub fn with_tls(config: SenderConfig, tls: &ClientTls) -> Result<Self, SendError> {
        // Each attempt has a timeout of its own, within the deadline.
        Sender::with_pool(config, &HttpPool::for_posts(tls))
    }

    /// Creates a sender over connections that others share, and with the authorities of the pool.
    pub fn with_pool(config: SenderConfig, pool: &HttpPool) -> Result<Self, SendError> {
        if config.uplinks.is_empty() && config.entry_url.is_none() {
            return Err(SendError::Config("no uplink is configured".into()));
        }
        let uplinks = Arc::new(Uplinks::new(&config));
        let ladder = Arc::new(SharedLadder::new(config.ladder));
        let warmth = Arc::default();
        Ok(Sender { pool: pool.clone(), uplinks, ladder, warmth, activity: None, config })
    }

    /// Returns this sender with a viewer of the same user. Each post is then the user's activity: a viewer
    /// whose server has been silent for 10 s examines its connection, so that the user sees the message.
    /// The viewer may end first; posts are sent without it.
    #[must_use]
    pub fn with_viewer(mut self, viewer: &Viewer) -> Self {
        self.activity = Some(viewer.activity());
        self
    }

    fn report_post(&self) {
        if let Some(activity) = &self.activity {
            activity.posted();
        }
    }

    /// Opens the connection of the next post ahead, while a user begins to write: entry's answer, the name,
    /// TCP and TLS take several round trips. Asks nothing while the uplink's connection is open by a use
    /// within [`Sender::WARM_FOR`]. TLS early data is never used, because a post in it could be replayed.
    ///
    /// # Errors
    /// When entry or the uplink does not answer within `attempt_timeout`. A later post tries by itself.
    pub async fn warm(&self, room: &RoomId) -> Result<(), SendError> {
        let opening = async {
            let uplink = self.uplinks.get(&self.pool, &self.config, Some(room)).await;
            let uplink = uplink.map_err(SendError::Deadline)?;
            if self.warmth.is_open(&uplink, Instant::now()) {
                return Ok(());
            }
            warmth::ping(&self.pool, &uplink).await.map_err(SendError::Deadline)?;
            self.warmth.used(&uplink, Instant::now());
            Ok(())
        };
        let late = || SendError::Deadline("no answer within the timeout".into());
        tokio::time::timeout(self.config.attempt_timeout, opening).await.unwrap_or_else(|_| Err(late()))
    }

    /// Time for which a connection stays open after a post or a ping.
    pub const WARM_FOR: Duration = warmth::KEPT;

    /// Returns the way of the last post that was answered; `None` before the first.
    #[must_use]
    pub fn transport(&self) -> Option<UplinkTransport> {
        self.ladder.carrying()
    }

    /// Posts one message and returns its outcome. Retries until the deadline.
    pub async fn send(&self, room: &RoomId, post: &Post) -> Result<PostAnswer, SendError> {
        self.until_deadline(room, "messages", post, Refusals::Retry).await
    }

    /// Posts one message. Retries where no server answers, and returns each refusal at once: for a caller
    /// whose user decides whether to wait.
    pub async fn send_until_refused(&self, room: &RoomId, post: &Post) -> Result<PostAnswer, SendError> {
        self.until_deadline(room, "messages", post, Refusals::Return).await
    }

    /// Posts one message to the first uplink in one ordinary request, without a retry.
    pub async fn send_once(&self, room: &RoomId, post: &Post) -> Result<PostAnswer, SendError> {
        self.once(Some(room), &self.request(Method::POST, room, "messages", post)).await
    }

    /// Makes a request of the first uplink once, as an ordinary one.
    async fn once<T: DeserializeOwned>(
        &self,
        room: Option<&RoomId>,
        request: &Request,
    ) -> Result<T, SendError> {
        self.report_post();
        let uplink = self.uplinks.get(&self.pool, &self.config, room).await.map_err(SendError::Deadline)?;
        let timeout = self.config.deadline.min(self.config.attempt_timeout);
        match attempt::make(&self.pool, UplinkTransport::Http, &uplink, request, timeout).await {
            Attempt::Done(answer) => Ok(answer),
            Attempt::Refused(refusal) => Err(SendError::Refused(refusal)),
            Attempt::Failed(error) => Err(SendError::Deadline(error)),
        }
    }

    /// Posts a package: all messages in order, or none.
    pub async fn send_package(&self, room: &RoomId, package: &Package) -> Result<PackageAnswer, SendError> {
        self.until_deadline(room, "packages", package, Refusals::Retry).await
    }

    fn request(&self, method: Method, room: &RoomId, resource: &str, body: &impl Serialize) -> Request {
        let json = Bytes::from(serde_json::to_vec(body).expect("posts are plain data"));
        Request { method, json: Some(json), ..self.request_without_body(room, resource) }
    }

    fn request_without_body(&self, room: &RoomId, resource: &str) -> Request {
        let path = format!("/v1/rooms/{room}/{resource}");
        Request { method: Method::GET, path, token: self.config.token.clone(), json: None }
    }

    /// Posts a body until an answer is final or the deadline passes.
    async fn until_deadline<T: DeserializeOwned>(
        &self,
        room: &RoomId,
        resource: &str,
        body: &impl Serialize,
        refusals: Refusals,
    ) -> Result<T, SendError> {
        self.answered(Some(room), self.request(Method::POST, room, resource, body), refusals).await
    }

    /// Makes the request in one round after the other, until an answer is final or the deadline passes. Entry names
    /// the uplinks of `room`, or those of any room.
    async fn answered<T: DeserializeOwned>(
        &self,
        room: Option<&RoomId>,
        request: Request,
        refusals: Refusals,
    ) -> Result<T, SendError> {
        let deadline = Instant::now() + self.config.deadline;
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        self.report_post();
        loop {
            let (wait, error) = match self.round(room, &request, deadline).await {
                Attempt::Done(answer) => return Ok(answer),
                Attempt::Refused(refusal) => {
                    if refusals == Refusals::Return || !refusal.code.is_retryable() {
                        return Err(SendError::Refused(refusal));
                    }
                    let wait = refusal.retry_after_ms.map(Duration::from_millis);
                    (wait.unwrap_or_else(|| backoff.next_wait(rand::random())), SendError::Refused(refusal))
                }
                Attempt::Failed(error) => (backoff.next_wait(rand::random()), SendError::Deadline(error)),
            };
            if Instant::now() + wait >= deadline {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Makes the request on one rung of the ladder after the other, until a server has answered.
    async fn round<T: DeserializeOwned>(
        &self,
        room: Option<&RoomId>,
        request: &Request,
        deadline: Instant,
    ) -> Attempt<T> {
        let mut round = Round::begin(&self.ladder);
        // A refusal of the ordinary request that a proxy may have caused.
        let mut doubtful: Option<Refusal> = None;
        let mut error = String::from("no attempt was made");
        let mut next = round.connect();
        while let Some(rung) = next {
            next = match self.on_rung(rung, room, request, deadline).await {
                Attempt::Done(answer) => {
                    round.end(LadderEvent::Opened { rung });
                    return Attempt::Done(answer);
                }
                Attempt::Refused(refusal) => match &doubtful {
                    None if rung == UplinkTransport::Http && may_be_altered(&refusal) => {
                        doubtful = Some(refusal);
                        round.blocked(rung)
                    }
                    // The tunnel confirms it: the network has altered nothing.
                    Some(doubted) if doubted.code == refusal.code => return Attempt::Refused(refusal),
                    None | Some(_) => {
                        round.end(LadderEvent::Failed { rung, cause: FailureCause::Refused });
                        return Attempt::Refused(refusal);
                    }
                },
                Attempt::Failed(failed) => {
                    error = failed;
                    round.blocked(rung)
                }
            };
        }
        doubtful.map_or(Attempt::Failed(error), Attempt::Refused)
    }

    /// Makes the request on one rung, at one uplink after the other.
    async fn on_rung<T: DeserializeOwned>(
        &self,
        rung: UplinkTransport,
        room: Option<&RoomId>,
        request: &Request,
        deadline: Instant,
    ) -> Attempt<T> {
        let mut last = Attempt::Failed("the deadline has passed".into());
        let mut tried: Option<String> = None;
        for _ in 0..UPLINKS_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            let uplink = match self.uplinks.get(&self.pool, &self.config, room).await {
                _ if left.is_zero() => return last,
                Ok(uplink) if tried.as_ref() == Some(&uplink) => return last,
                Ok(uplink) => uplink,
                Err(error) => return Attempt::Failed(error),
            };
            let timeout = left.min(self.config.attempt_timeout);
            last = attempt::make(&self.pool, rung, &uplink, request, timeout).await;
            if !matches!(last, Attempt::Failed(_)) {
                self.warmth.used(&uplink, Instant::now());
                match &last {
                    Attempt::Refused(refusal) if cannot_work(refusal.code) => {
                        self.uplinks.passed_over(&uplink)
                    }
                    _ => self.uplinks.answered(&uplink),
                }
                return last;
            }
            self.warmth.lost(&uplink);
            self.uplinks.failed(&uplink);
            tried = Some(uplink);
        }
        last
    }
}

/// Whether a refusal is about the uplink that gave it, so that another one may take the post.
fn cannot_work(code: Code) -> bool {
    matches!(code, Code::Overloaded | Code::Unavailable | Code::Timeout | Code::Internal)
}

/// Whether a refusal may be the effect of a proxy that removes headers, or changes the request.
fn may_be_altered(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::BadRequest | Code::NotFound | Code::MethodNotAllowed | Code::Unauthorized)
}
