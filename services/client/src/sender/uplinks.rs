//! Uplinks to send to: the configured ones, or those that entry names.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::RoomId;
use barrage_protocol::entry::EntryAnswer;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::uplink_order::UplinkOrder;
use crate::config::SenderConfig;
use crate::connect::measure_uplinks;
use crate::http::HttpPool;
use crate::source::{self, Purpose, Question};

/// Time between two measurements of the uplinks: they send the race resource each time.
const MEASURE_PERIOD: Duration = Duration::from_secs(600);

/// List of uplinks, configured or from entry, with its expiry and the order to try them in.
#[derive(Debug)]
pub(super) struct Uplinks {
    order: Arc<Mutex<UplinkOrder>>,
    /// Time at which entry is asked again; `None` for a configured list.
    fresh_until: Mutex<Option<Instant>>,
    /// Time from which the uplinks may be measured again.
    measure_after: Mutex<Instant>,
    started: Instant,
}

impl Uplinks {
    pub(super) fn new(config: &SenderConfig) -> Self {
        let now = Instant::now();
        let mut order = UplinkOrder::default();
        order.name(config.uplinks.clone());
        Uplinks {
            order: Arc::new(Mutex::new(order)),
            fresh_until: Mutex::new(config.entry_url.is_some().then_some(now)),
            measure_after: Mutex::new(now),
            started: now,
        }
    }

    /// Returns the uplink for the next attempt. An expired list stays in use while entry does not
    /// answer. The error has the reason why there is no uplink.
    pub(super) async fn get(
        &self,
        pool: &HttpPool,
        config: &SenderConfig,
        room: Option<&RoomId>,
    ) -> Result<String, String> {
        let is_old = self.fresh_until.lock().is_some_and(|until| Instant::now() >= until);
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
                    *self.fresh_until.lock() = Some(Instant::now() + Duration::from_millis(answer.ttl_ms));
                    self.order.lock().name(answer.uplinks.clone());
                    self.measure(pool, entry_url, &answer);
                }
                Err(error) => reason = error.to_string(),
            }
        }
        let order = self.order.lock();
        order.order(ms_since(self.started)).first().map(|url| (*url).to_owned()).ok_or(reason)
    }

    /// Measures the uplinks in the background, at most once in a period. No post waits for it.
    fn measure(&self, pool: &HttpPool, entry_url: &str, answer: &EntryAnswer) {
        if !self.may_measure() {
            return;
        }
        let Some(measuring) = measure_uplinks(&pool.http, entry_url, answer) else { return };
        let (order, started) = (Arc::clone(&self.order), self.started);
        tokio::spawn(async move {
            for (url, elapsed_ms) in measuring.await {
                order.lock().raced(ms_since(started), &url, elapsed_ms);
            }
        });
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

    /// Notes an answer of this uplink, a refusal included.
    pub(super) fn answered(&self, uplink: &str) {
        self.order.lock().answered(uplink);
    }

    /// Notes that this uplink cannot work now: the next attempt takes another one of the list.
    pub(super) fn passed_over(&self, uplink: &str) {
        self.order.lock().failed(ms_since(self.started), uplink);
    }

    /// Notes that this uplink did not answer: the next attempt takes another one, and asks entry again.
    pub(super) fn failed(&self, uplink: &str) {
        self.passed_over(uplink);
        let mut fresh_until = self.fresh_until.lock();
        *fresh_until = fresh_until.map(|_| Instant::now());
    }
}

fn ms_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
