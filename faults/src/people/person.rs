//! A user with a token, who goes to another uplink when one does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait of a request that waits for nothing.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Wait before a request is repeated.
const PAUSE: Duration = Duration::from_millis(100);

/// A user of the run.
#[derive(Debug)]
pub(super) struct Person {
    /// Id of the user.
    pub(super) user: String,
    pub(super) token: String,
    http: reqwest::Client,
    uplinks: Arc<[String]>,
    /// Number of the uplink that answered last.
    at: AtomicUsize,
}

/// Answer of a server that took a request, or refused it for good.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Person {
    pub(super) fn new(user: String, token: String, http: reqwest::Client, uplinks: Arc<[String]>) -> Self {
        let at = AtomicUsize::new(user.len() + usize::from(user.as_bytes()[user.len() - 1]));
        Person { user, token, http, uplinks, at }
    }

    /// Asks until an uplink takes the request or refuses it for good; `None` at the deadline.
    pub(super) async fn ask(&self, method: &str, path: &str, body: &Value, until: Instant) -> Option<Answer> {
        while barrage_clock::now() < until {
            if let Some(answer) = self.try_once(method, path, body, ANSWER_MAX).await {
                return Some(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    /// Asks one uplink once; `None` without an answer, and where the answer asks to come back later.
    pub(super) async fn try_once(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        longest: Duration,
    ) -> Option<Answer> {
        let uplink = &self.uplinks[self.at.load(Ordering::Relaxed) % self.uplinks.len()];
        let request = self.http.request(method.parse().unwrap(), format!("{uplink}{path}"));
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let sent = request.bearer_auth(&self.token).body(text).timeout(longest).send().await;
        let answer = match sent {
            Ok(answer) => {
                let status = answer.status().as_u16();
                answer.json::<Value>().await.ok().map(|body| Answer { status, body })
            }
            Err(_) => None,
        };
        let answer = answer.filter(|answer| answer.status != 429 && answer.status < 500);
        if answer.is_none() {
            self.at.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// Asks and expects success, within a time that outlasts every fault.
    pub(super) async fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let until = barrage_clock::now() + Duration::from_secs(60);
        let answer = self.ask(method, path, body, until).await;
        let answer = answer.unwrap_or_else(|| panic!("{method} {path} by {}: no answer", self.user));
        assert_eq!(answer.status, 200, "{method} {path} by {}: {}", self.user, answer.body);
        answer.body
    }
}
