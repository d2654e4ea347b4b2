//! The door: tickets for those whose turn comes later, and words for those who have none.

use std::sync::Arc;
use std::time::Duration;

use barrage_http::ApiError;
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::entry::EntryTicket;
use barrage_protocol::{Code, RoomId};
use barrage_token::{Keyring, Ticket};

use crate::config::EntryConfig;
use crate::grants::TooMany;
use crate::metrics::EntryMetrics;
use crate::placer::Refused;
use crate::unix::unix_ms;

/// Who is turned away because the fleet is full comes back after so long and as much
/// again, at random: soon when few wait, for a new gateway may take them in a moment.
const FULL_RETRY_MS: std::ops::RangeInclusive<u64> = 2_000..=10_000;
/// In between, so long that about this many ask a second.
const ASKS_BACK_PER_S: u64 = 5_000;
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

/// The answer to an address that has as many grants outstanding as it may.
pub(crate) fn address_refused(too_many: TooMany, metrics: &EntryMetrics) -> ApiError {
    metrics.turned_away.with_label_values(&["address"]).inc();
    let TooMany { max, is_site, retry_after } = too_many;
    let (rule, scope, network) = match is_site {
        false => ("entry.address_grants_max", "address", "address"),
        true => ("entry.site_grants_max", "address", "IPv6 /48"),
    };
    let message = format!(
        "{max} newcomers of this {network} were sent to gateways lately and may still connect; come back at \
         the named time"
    );
    let mut refusal = Refusal::new(Code::RateLimited, message);
    let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
    refusal.retry_after_ms = Some(retry_after_ms);
    refusal.limit = Some(Box::new(LimitHit {
        limit: u64::from(max),
        window_ms: retry_after_ms,
        ..LimitHit::rule(rule, scope)
    }));
    ApiError(refusal)
}

/// What a newcomer is told who has no turn, while so many others have none. Moments are
/// spread, so that those turned away together do not come back together.
pub(crate) fn turned_away(
    refused: Refused,
    waiting: u64,
    deaf_for: Option<Duration>,
    config: &EntryConfig,
    metrics: &EntryMetrics,
) -> ApiError {
    let crowd = "more want in than the gateways admit; come back at the named time";
    let nobody = match deaf_for {
        Some(time) => format!(
            "the registry has heard nothing for {} s, and no gateway is known; come back at the named time",
            time.as_secs()
        ),
        None => "no gateway takes viewers now; come back at the named time".into(),
    };
    let (counter, message, least_ms) = match refused {
        Refused::NoGateway => (metrics.empty.clone(), nobody, NONE_RETRY_MS),
        Refused::FleetFull => {
            let least_ms = waiting.saturating_mul(1_000) / ASKS_BACK_PER_S;
            let least_ms = least_ms.clamp(*FULL_RETRY_MS.start(), *FULL_RETRY_MS.end());
            (metrics.turned_away.with_label_values(&["fleet_full"]), crowd.into(), least_ms)
        }
        Refused::QueueFull => {
            let counter = metrics.turned_away.with_label_values(&["queue_full"]);
            (counter, crowd.into(), config.ticket_wait_secs_max * 1_000 / 2)
        }
    };
    counter.inc();
    let spread_ms = rand::random_range(0..least_ms.max(1_000));
    ApiError::new(Code::Overloaded, message).retry_after_ms(least_ms.saturating_add(spread_ms))
}
