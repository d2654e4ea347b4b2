//! Where to send: the uplinks configured, or those that entry names.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use barrage_protocol::RoomId;
use barrage_protocol::entry::EntryAnswer;

use crate::endpoints::refusal;

/// Longest wait for entry.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The list in use.
#[derive(Debug)]
pub(crate) struct Uplinks {
    entry_url: Option<String>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    urls: Vec<String>,
    /// When entry is asked again; never for a configured list.
    fresh_until: Option<Instant>,
}

impl Uplinks {
    pub(crate) fn new(configured: Vec<String>, entry_url: Option<String>) -> Self {
        let fresh_until = entry_url.is_some().then(Instant::now);
        Uplinks { entry_url, known: Mutex::new(Known { urls: configured, fresh_until }) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one for an attempt, counted from 0. An old list is used on when entry does
    /// not answer; an error says why there is none at all.
    pub(crate) async fn get(
        &self,
        http: &reqwest::Client,
        room: &RoomId,
        attempt: usize,
    ) -> Result<String, String> {
        let is_old = self.known().fresh_until.is_some_and(|until| Instant::now() >= until);
        let mut why = "no uplink is known".to_owned();
        if let (Some(entry_url), true) = (&self.entry_url, is_old) {
            match ask(http, entry_url, room).await {
                Ok(answer) => {
                    let fresh_until = Some(Instant::now() + Duration::from_millis(answer.ttl_ms));
                    *self.known() = Known { urls: answer.uplinks, fresh_until };
                }
                Err(error) => why = error,
            }
        }
        let known = self.known();
        let at = attempt.checked_rem(known.urls.len());
        at.map(|at| known.urls[at].clone()).ok_or(why)
    }

    /// One of them failed: entry may know better by now.
    pub(crate) fn doubt(&self) {
        let mut known = self.known();
        known.fresh_until = known.fresh_until.map(|_| Instant::now());
    }
}

async fn ask(http: &reqwest::Client, entry_url: &str, room: &RoomId) -> Result<EntryAnswer, String> {
    let request = http.get(format!("{entry_url}/v1/entry?room={room}&purpose=send")).timeout(TIMEOUT);
    let response = request.send().await.map_err(|error| error.to_string())?;
    let response = refusal(response).await.map_err(|error| error.to_string())?;
    response.json().await.map_err(|error| error.to_string())
}
