//! Uplinks to send to: the configured ones, or those that entry names.

use std::time::Duration;

use barrage_protocol::RoomId;
use barrage_protocol::entry::EntryAnswer;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::http::refusal;

/// Longest wait for an answer of entry.
const TIMEOUT: Duration = Duration::from_secs(3);

/// List of uplinks, configured or from entry, with its expiry.
#[derive(Debug)]
pub(super) struct Uplinks {
    entry_url: Option<String>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    urls: Vec<String>,
    /// Time at which entry is asked again; `None` for a configured list.
    fresh_until: Option<Instant>,
}

impl Uplinks {
    pub(super) fn new(configured: Vec<String>, entry_url: Option<String>) -> Self {
        let fresh_until = entry_url.is_some().then(Instant::now);
        Uplinks { entry_url, known: Mutex::new(Known { urls: configured, fresh_until }) }
    }

    /// Returns the uplink for an attempt, counted from 0. An expired list stays in use while entry does not
    /// answer. The error has the reason why there is no uplink.
    pub(super) async fn get(
        &self,
        http: &reqwest::Client,
        room: &RoomId,
        attempt: usize,
    ) -> Result<String, String> {
        let is_old = self.known.lock().fresh_until.is_some_and(|until| Instant::now() >= until);
        let mut reason = "entry has named no uplink".to_owned();
        if let (Some(entry_url), true) = (&self.entry_url, is_old) {
            match ask(http, entry_url, room).await {
                Ok(answer) => {
                    let fresh_until = Some(Instant::now() + Duration::from_millis(answer.ttl_ms));
                    *self.known.lock() = Known { urls: answer.uplinks, fresh_until };
                }
                Err(error) => reason = error,
            }
        }
        let known = self.known.lock();
        let at = attempt.checked_rem(known.urls.len());
        at.map(|at| known.urls[at].clone()).ok_or(reason)
    }

    /// Expires the list after a failure, so that the next attempt asks entry again.
    pub(super) fn expire(&self) {
        let mut known = self.known.lock();
        known.fresh_until = known.fresh_until.map(|_| Instant::now());
    }
}

async fn ask(http: &reqwest::Client, entry_url: &str, room: &RoomId) -> Result<EntryAnswer, String> {
    let request = http.get(format!("{entry_url}/v1/entry?room={room}&purpose=send")).timeout(TIMEOUT);
    let response = request.send().await.map_err(|error| error.to_string())?;
    let response = refusal(response).await.map_err(|error| error.to_string())?;
    response.json().await.map_err(|error| error.to_string())
}
