//! Refusals of newcomers, each with a time to come back. Times are spread at random, so that
//! newcomers refused together do not come back together.

use std::ops::RangeInclusive;
use std::time::Duration;

use barrage_protocol::Code;
use barrage_protocol::code::{LimitHit, Refusal};

use crate::metrics::EntryMetrics;
use crate::placement::{Refused, TooMany};

/// Minimum retry time while the fleet is full, in milliseconds. Short when few wait, because a new
/// gateway may soon have free capacity.
const FULL_RETRY_MS: RangeInclusive<u64> = 2_000..=10_000;
/// Within that range, the retry time is such that about this many newcomers ask again a second.
const RETRIES_PER_S: u64 = 5_000;
/// Minimum retry time when there is no gateway, in milliseconds.
const NO_GATEWAY_RETRY_MS: u64 = 1_000;

/// Refuses an address that has as many outstanding grants as its limit allows.
pub(crate) fn address_refusal(too_many: TooMany, metrics: &EntryMetrics) -> Refusal {
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
    let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
    let mut refusal = Refusal::new(Code::RateLimited, message).retry_after_ms(retry_after_ms);
    refusal.limit = Some(Box::new(LimitHit {
        limit: u64::from(max),
        window_ms: retry_after_ms,
        ..LimitHit::rule(rule, scope)
    }));
    refusal
}

/// Refuses a newcomer for whom the fleet has no slot. `waiting` newcomers were refused before and
/// have still to come back. `outage` is the time for which the registry has heard nothing.
pub(crate) fn fleet_refusal(
    refused: Refused,
    waiting: u64,
    outage: Option<Duration>,
    ticket_wait_secs_max: u64,
    metrics: &EntryMetrics,
) -> Refusal {
    let full = "more viewers want in than the gateways admit; come back at the named time";
    let (counter, message, retry_ms_min) = match refused {
        Refused::NoGateway => (metrics.empty.clone(), no_gateway(outage), NO_GATEWAY_RETRY_MS),
        Refused::FleetFull => {
            let spread_ms = waiting.saturating_mul(1_000) / RETRIES_PER_S;
            let retry_ms = spread_ms.clamp(*FULL_RETRY_MS.start(), *FULL_RETRY_MS.end());
            (metrics.turned_away.with_label_values(&["fleet_full"]), full.into(), retry_ms)
        }
        Refused::QueueFull => {
            let counter = metrics.turned_away.with_label_values(&["queue_full"]);
            (counter, full.into(), ticket_wait_secs_max * 1_000 / 2)
        }
    };
    counter.inc();
    let spread_ms = rand::random_range(0..retry_ms_min.max(1_000));
    Refusal::new(Code::Overloaded, message).retry_after_ms(retry_ms_min.saturating_add(spread_ms))
}

fn no_gateway(outage: Option<Duration>) -> String {
    match outage {
        Some(time) => format!(
            "the registry has heard nothing for {} s, and no gateway is known; come back at the named time",
            time.as_secs()
        ),
        None => "no gateway takes viewers now; come back at the named time".into(),
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    fn retry_ms(refused: Refused, waiting: u64) -> u64 {
        let metrics = EntryMetrics::new(&Registry::new()).unwrap();
        fleet_refusal(refused, waiting, None, 60, &metrics).retry_after_ms.unwrap()
    }

    #[test]
    fn retry_time_grows_with_the_waiting_newcomers_and_is_spread() {
        assert!((2_000..4_000).contains(&retry_ms(Refused::FleetFull, 0)));
        assert!((6_000..12_000).contains(&retry_ms(Refused::FleetFull, 30_000)));
        assert!((10_000..20_000).contains(&retry_ms(Refused::FleetFull, u64::MAX)));
        assert!((30_000..60_000).contains(&retry_ms(Refused::QueueFull, 0)));
        assert!((1_000..2_000).contains(&retry_ms(Refused::NoGateway, 0)));
    }

    #[test]
    fn refused_address_learns_its_limit_and_the_time() {
        let metrics = EntryMetrics::new(&Registry::new()).unwrap();
        let too_many = TooMany { max: 400, is_site: true, retry_after: Duration::from_secs(3) };
        let refusal = address_refusal(too_many, &metrics);
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(3_000)));
        assert_eq!(refusal.limit.unwrap().rule, "entry.site_grants_max");
    }
}
