//! Uplinks to send to: the configured ones, or those that entry names.

use std::time::Duration;

use barrage_protocol::RoomId;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::SenderConfig;
use crate::connect::measure_uplinks;
use crate::http::HttpPool;
use crate::source::{self, Purpose, Question};

/// Time between two measurements of the uplinks: they send the race resource each time.
const MEASURE_PERIOD: Duration = Duration::from_secs(600);

/// List of uplinks, configured or from entry, with its expiry.
#[derive(Debug)]
pub(super) struct Uplinks {
    known: Mutex<Known>,
    /// Time from which the uplinks may be measured again.
    measure_after: Mutex<Instant>,
}

#[derive(Debug)]
struct Known {
    urls: Vec<String>,
    /// Time at which entry is asked again; `None` for a configured list.
    fresh_until: Option<Instant>,
}

impl Uplinks {
    pub(super) fn new(config: &SenderConfig) -> Self {
        let fresh_until = config.entry_url.is_some().then(Instant::now);
        Uplinks {
            known: Mutex::new(Known { urls: config.uplinks.clone(), fresh_until }),
            measure_after: Mutex::new(Instant::now()),
        }
    }

    /// Returns the uplink for an attempt, counted from 0. An expired list stays in use while entry does not
    /// answer. The error has the reason why there is no uplink.
    pub(super) async fn get(
        &self,
        pool: &HttpPool,
        config: &SenderConfig,
        room: &RoomId,
        attempt: usize,
    ) -> Result<String, String> {
        let is_old = self.known.lock().fresh_until.is_some_and(|until| Instant::now() >= until);
        let mut reason = "entry has named no uplink".to_owned();
        if let (Some(entry_url), true) = (&config.entry_url, is_old) {
            let question = Question {
                entry_url,
                config: &config.sources,
                embedded: config.fallback.as_ref(),
                room,
                purpose: Purpose::Send,
            };
            match source::ask(pool, question).await {
                Ok(answer) => {
                    if self.may_measure() {
                        measure_uplinks(&pool.http, entry_url, &answer);
                    }
                    let fresh_until = Some(Instant::now() + Duration::from_millis(answer.ttl_ms));
                    *self.known.lock() = Known { urls: answer.uplinks, fresh_until };
                }
                Err(error) => reason = error.to_string(),
            }
        }
        let known = self.known.lock();
        let at = attempt.checked_rem(known.urls.len());
        at.map(|at| known.urls[at].clone()).ok_or(reason)
    }

    /// Whether the uplinks are measured now; the next time is a period later.
    fn may_measure(&self) -> bool {
        let now = Instant::now();
        let mut after = self.measure_after.lock();
        let may = now >= *after;
        if may {
            *after = now + MEASURE_PERIOD;
        }
        may
    }

    /// Expires the list after a failure, so that the next attempt asks entry again.
    pub(super) fn expire(&self) {
        let mut known = self.known.lock();
        known.fresh_until = known.fresh_until.map(|_| Instant::now());
    }
}
