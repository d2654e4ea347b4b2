//! The door: tickets for those whose turn comes later, and words for those who have none.

use std::sync::Arc;
use std::time::Duration;

use barrage_http::ApiError;
use barrage_protocol::entry::EntryTicket;
use barrage_protocol::{Code, RoomId};
use barrage_token::{Keyring, Ticket};

use crate::config::EntryConfig;
use crate::metrics::EntryMetrics;
use crate::placer::Refused;
use crate::unix::unix_ms;

/// Who is turned away because the fleet is full comes back after this and as much
/// again, at random.
const FULL_RETRY_MS: u64 = 10_000;
/// The same where there is no gateway at all.
const NONE_RETRY_MS: u64 = 1_000;

/// Signs tickets.
pub(crate) struct Door {
    keyring: Arc<Keyring>,
}

impl Door {
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Door { keyring }
    }

    /// A ticket for the turn that comes after the wait.
    pub(crate) fn ticket(
        &self,
        room: &RoomId,
        wait: Duration,
        config: &EntryConfig,
        metrics: &EntryMetrics,
    ) -> Result<EntryTicket, ApiError> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let not_before_ms = unix_ms().saturating_add(wait_ms);
        let expires_ms = not_before_ms.saturating_add(config.ticket_life_secs * 1_000);
        let ticket = Ticket { room: room.clone(), not_before_ms, expires_ms, id: rand::random() };
        let token = self.keyring.sign_ticket(ticket).map_err(|error| {
            tracing::error!(%error, "a ticket could not be signed");
            ApiError::new(Code::Internal, "a ticket could not be signed").retry_after_ms(1_000)
        })?;
        metrics.ticket_wait_seconds.observe(wait.as_secs_f64());
        Ok(EntryTicket { token, wait_ms })
    }
}

/// What a newcomer is told who has no turn. Moments are spread, so that those turned away
/// together do not come back together.
pub(crate) fn turned_away(refused: Refused, config: &EntryConfig, metrics: &EntryMetrics) -> ApiError {
    let crowd = "more want in than the gateways admit; come back at the named time";
    let nobody = "no gateway takes viewers now; come back at the named time";
    let (counter, message, least_ms) = match refused {
        Refused::NoGateway => (metrics.empty.clone(), nobody, NONE_RETRY_MS),
        Refused::FleetFull => (metrics.turned_away.with_label_values(&["fleet_full"]), crowd, FULL_RETRY_MS),
        Refused::QueueFull => {
            let counter = metrics.turned_away.with_label_values(&["queue_full"]);
            (counter, crowd, config.ticket_wait_secs_max * 1_000 / 2)
        }
    };
    counter.inc();
    let spread_ms = rand::random_range(0..least_ms.max(1_000));
    ApiError::new(Code::Overloaded, message).retry_after_ms(least_ms.saturating_add(spread_ms))
}
