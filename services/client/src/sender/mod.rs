//! Sends posts: short requests over keep-alive connections, retried under the same id.

mod uplinks;

use std::sync::Arc;
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_protocol::code::{ErrorBody, Refusal};
use barrage_protocol::post::{Package, PackageAnswer, Post, PostAnswer};
use barrage_protocol::{Code, RoomId};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use self::uplinks::Uplinks;
use crate::config::SenderConfig;
use crate::error::SendError;

/// Bounds of the wait between attempts, when the server names no time.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Sender of posts in the name of one user. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Sender {
    http: reqwest::Client,
    uplinks: Arc<Uplinks>,
    config: SenderConfig,
}

enum Attempt<T> {
    Done(T),
    Refused(Refusal),
    Failed(String),
}

impl Sender {
    /// Creates a sender, which connects at the first post.
    pub fn new(config: SenderConfig) -> Result<Self, SendError> {
        if config.uplinks.is_empty() && config.entry_url.is_none() {
            return Err(SendError::Config("no uplink is configured".into()));
        }
        // Each attempt has a timeout of its own, within the deadline.
        let http =
            reqwest::Client::builder().build().map_err(|error| SendError::Config(error.to_string()))?;
        let uplinks = Arc::new(Uplinks::new(config.uplinks.clone(), config.entry_url.clone()));
        Ok(Sender { http, uplinks, config })
    }

    /// Posts one message and returns its outcome. Retries until the deadline.
    pub async fn send(&self, room: &RoomId, post: &Post) -> Result<PostAnswer, SendError> {
        self.until_deadline(room, "messages", post).await
    }

    /// Posts a package: all messages in order, or none.
    pub async fn send_package(&self, room: &RoomId, package: &Package) -> Result<PackageAnswer, SendError> {
        self.until_deadline(room, "packages", package).await
    }

    /// Attempts the request at one uplink after the other, until an answer is final or the deadline
    /// passes.
    async fn until_deadline<T: DeserializeOwned>(
        &self,
        room: &RoomId,
        resource: &str,
        body: &impl Serialize,
    ) -> Result<T, SendError> {
        let json = Bytes::from(serde_json::to_vec(body).expect("posts are plain data"));
        let deadline = Instant::now() + self.config.deadline;
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        for attempt in 0.. {
            let attempted = match self.uplinks.get(&self.http, room, attempt).await {
                Ok(uplink) => {
                    let url = format!("{uplink}/v1/rooms/{room}/{resource}");
                    self.attempt(&url, json.clone(), deadline).await
                }
                Err(error) => Attempt::Failed(error),
            };
            let (wait, error) = match attempted {
                Attempt::Done(answer) => return Ok(answer),
                Attempt::Refused(refusal) => {
                    if !refusal.code.is_retryable() {
                        return Err(SendError::Refused(refusal));
                    }
                    let wait = refusal.retry_after_ms.map(Duration::from_millis);
                    (wait.unwrap_or_else(|| backoff.next_wait(rand::random())), SendError::Refused(refusal))
                }
                Attempt::Failed(error) => {
                    self.uplinks.expire();
                    (backoff.next_wait(rand::random()), SendError::Deadline(error))
                }
            };
            if Instant::now() + wait >= deadline {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
        Err(SendError::Deadline("no attempt was made".into()))
    }

    async fn attempt<T: DeserializeOwned>(&self, url: &str, json: Bytes, deadline: Instant) -> Attempt<T> {
        let left = deadline.saturating_duration_since(Instant::now());
        let request = self.http.post(url).bearer_auth(&self.config.token);
        let request = request.header("content-type", "application/json");
        let request = request.timeout(left.min(self.config.attempt_timeout));
        let response = match request.body(json).send().await {
            Ok(response) => response,
            Err(error) => return Attempt::Failed(error.without_url().to_string()),
        };
        let status = response.status();
        if status.is_success() {
            return match response.json().await {
                Ok(answer) => Attempt::Done(answer),
                Err(error) => Attempt::Failed(error.without_url().to_string()),
            };
        }
        match response.json::<ErrorBody>().await {
            Ok(body) => Attempt::Refused(body.error),
            // Not an answer of Barrage: a proxy, or a wrong URL.
            Err(_) if is_lasting(status) => {
                Attempt::Refused(Refusal::new(Code::BadRequest, format!("status {status}")))
            }
            Err(_) => Attempt::Failed(format!("status {status}")),
        }
    }
}

/// Whether a repeated request would get the same status.
fn is_lasting(status: reqwest::StatusCode) -> bool {
    use reqwest::StatusCode as S;
    status.is_client_error() && !matches!(status, S::REQUEST_TIMEOUT | S::TOO_EARLY | S::TOO_MANY_REQUESTS)
}
