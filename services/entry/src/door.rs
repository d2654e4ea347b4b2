//! The door: who may come at once, who gets a ticket, who is turned away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use barrage_http::ApiError;
use barrage_protocol::entry::EntryTicket;
use barrage_protocol::{Code, RoomId};
use barrage_token::{Keyring, Ticket};

use crate::config::EntryConfig;
use crate::fleet::Fleet;
use crate::metrics::EntryMetrics;
use crate::moments::{Bounds, Moments};

/// Who is turned away because the fleet is full comes back after this and as much
/// again, at random.
const FULL_RETRY_MS: u64 = 10_000;

/// Gives moments out.
pub(crate) struct Door {
    keyring: Arc<Keyring>,
    moments: Mutex<Moments>,
}

impl Door {
    /// How many hold a ticket whose moment is to come.
    pub(crate) fn queued(&self, now: Duration) -> u64 {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner).to_come(now)
    }

    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Door { keyring, moments: Mutex::default() }
    }

    /// A ticket, or none where a newcomer may come at once. Newcomers count as they are
    /// answered, whether they come or not.
    pub(crate) fn pass(
        &self,
        room: &RoomId,
        fleet: &Fleet,
        now: Duration,
        entries: usize,
        config: &EntryConfig,
        metrics: &EntryMetrics,
    ) -> Result<Option<EntryTicket>, ApiError> {
        let bounds = Bounds {
            at_once: Duration::from_millis(config.ticket_over_wait_ms),
            wait_max: Duration::from_secs(config.ticket_wait_secs_max),
        };
        let taken = {
            let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
            let share = f64::from(config.joins_share_percent.clamp(1, 100)) / 100.0 / entries as f64;
            let Some(per_s) = fleet.admissible_per_s(moments.due_per_s(now), share) else { return Ok(None) };
            if fleet.seats <= moments.outstanding(now) {
                return Err(turned_away(metrics, "fleet_full", FULL_RETRY_MS));
            }
            moments.take(per_s, now, &bounds)
        };
        let Ok(wait) = taken else {
            return Err(turned_away(metrics, "queue_full", config.ticket_wait_secs_max * 1_000 / 2));
        };
        if wait.is_zero() {
            return Ok(None);
        }
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let not_before_ms = unix_ms().saturating_add(wait_ms);
        let expires_ms = not_before_ms.saturating_add(config.ticket_life_secs * 1_000);
        let ticket = Ticket { room: room.clone(), not_before_ms, expires_ms, id: rand::random() };
        let token = self.keyring.sign_ticket(ticket).map_err(|error| {
            tracing::error!(%error, "a ticket could not be signed");
            ApiError::new(Code::Internal, "a ticket could not be signed").retry_after_ms(1_000)
        })?;
        metrics.ticket_wait_seconds.observe(wait.as_secs_f64());
        Ok(Some(EntryTicket { token, wait_ms }))
    }
}

/// Spread, so that those turned away together do not come back together.
fn turned_away(metrics: &EntryMetrics, reason: &str, least_ms: u64) -> ApiError {
    metrics.turned_away.with_label_values(&[reason]).inc();
    let message = "more want in than the gateways admit; come back at the named time";
    let spread_ms = rand::random_range(0..least_ms.max(1_000));
    ApiError::new(Code::Overloaded, message).retry_after_ms(least_ms.saturating_add(spread_ms))
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
