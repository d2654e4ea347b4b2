use std::sync::Arc;
use std::time::Duration;

use barrage_handshake::{PlaceCount, Taken};
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use prometheus::IntGauge;

use super::{JoinQueue, Pass};
use crate::load::Level;

/// Refused joins come back within this time, in milliseconds, each at a random moment.
const RETRY_SPREAD_MS: u64 = 9_000;
/// Least wait of a join that the overload level refuses, in milliseconds.
const OVERLOAD_RETRY_MS: u64 = 1_000;

/// Places of a gateway's viewers, fallbacks included.
#[derive(Debug)]
pub(crate) struct Places {
    count: PlaceCount,
    gauge: IntGauge,
}

impl Places {
    /// Creates `max` free places. `gauge` shows the number of places that are taken.
    pub(crate) fn new(max: u64, gauge: IntGauge) -> Arc<Self> {
        Arc::new(Places { count: PlaceCount::new(max), gauge })
    }

    /// Number of viewers on all transports; a poll counts while its request runs.
    pub(crate) fn taken(&self) -> u64 {
        self.count.taken()
    }
}

/// One of the gateway's places; dropping it frees the place. A probe has none.
#[derive(Debug)]
pub(crate) struct Admission(Option<Arc<Places>>);

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(places) = &self.0 {
            places.count.give_back();
            places.gauge.dec();
        }
    }
}

/// Whether a gateway takes new viewers at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    Open,
    /// The process ends, or the gateway drains.
    Draining,
    /// A shard ended before the shutdown; the gateway ends with an error.
    Failed,
}

/// Admits a probe, whose token was verified, without a place: it counts in no load and no limit.
pub(crate) fn admit_probe(availability: Availability) -> Result<Admission, Refusal> {
    check_open(availability)?;
    Ok(Admission(None))
}

/// Refuses with a retry time when the gateway drains or has failed.
fn check_open(availability: Availability) -> Result<(), Refusal> {
    match availability {
        Availability::Open => Ok(()),
        Availability::Draining => {
            let refusal = Refusal::new(Code::Draining, "this gateway is draining; ask entry for another one");
            Err(refusal.retry_after_ms(500))
        }
        Availability::Failed => {
            let refusal =
                Refusal::new(Code::Unavailable, "this gateway has failed; ask entry for another one");
            Err(refusal.retry_after_ms(1_000))
        }
    }
}

/// Takes a place. Refuses with a retry time when the gateway is full, drains or has failed.
pub(crate) fn admit(places: &Arc<Places>, availability: Availability) -> Result<Admission, Refusal> {
    check_open(availability)?;
    let taken = places.count.take();
    places.gauge.inc();
    let admission = Admission(Some(Arc::clone(places)));
    if taken == Taken::Full {
        let refusal = Refusal::new(Code::Overloaded, "this gateway is full; try the next endpoint");
        return Err(refusal.retry_after_ms(2_000));
    }
    Ok(admission)
}

/// Refused join, and the label of the reason in metrics.
#[derive(Debug)]
pub(crate) struct JoinRefusal {
    pub(crate) reason: &'static str,
    pub(crate) refusal: Refusal,
}

/// Takes a place for a viewer that stays, and a slot in the join queue. Returns the wait until the
/// slot. The overload level may refuse all joins.
pub(crate) fn admit_join(
    places: &Arc<Places>,
    availability: Availability,
    level: Level,
    queue: &JoinQueue,
    pass: &Pass,
) -> Result<(Admission, Duration), JoinRefusal> {
    if level >= Level::RefuseJoins {
        return Err(at_join_limit("overload", OVERLOAD_RETRY_MS));
    }
    let admission = admit(places, availability)
        .map_err(|refusal| JoinRefusal { reason: refusal.code.label(), refusal })?;
    match queue.enter(pass) {
        Ok(wait) => Ok((admission, wait)),
        Err(retry_after) => {
            let least_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
            Err(at_join_limit("joins_per_s", least_ms))
        }
    }
}

/// Spreads the retries, so that joins that were refused together do not come back together.
fn at_join_limit(reason: &'static str, least_ms: u64) -> JoinRefusal {
    let refusal = Refusal::new(Code::Overloaded, "this gateway is at its join limit; try the next endpoint");
    let spread_ms = rand::random_range(0..RETRY_SPREAD_MS);
    JoinRefusal { reason, refusal: refusal.retry_after_ms(least_ms.saturating_add(spread_ms)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(max: u64) -> Arc<Places> {
        Places::new(max, IntGauge::new("viewers", "Viewers.").unwrap())
    }

    #[test]
    fn a_full_gateway_refuses_until_a_place_is_freed() {
        let places = places(1);
        let first = admit(&places, Availability::Open).unwrap();
        assert_eq!(admit(&places, Availability::Open).unwrap_err().code, Code::Overloaded);
        assert_eq!((places.taken(), places.gauge.get()), (1, 1));
        drop(first);
        assert_eq!((places.taken(), places.gauge.get()), (0, 0));
        assert!(admit(&places, Availability::Open).is_ok());
    }

    #[test]
    fn a_probe_takes_no_place_and_is_refused_by_a_gateway_that_drains() {
        assert!(admit_probe(Availability::Open).is_ok());
        assert_eq!(admit_probe(Availability::Draining).unwrap_err().code, Code::Draining);
    }

    #[test]
    fn a_gateway_that_drains_or_has_failed_refuses() {
        let places = places(1);
        let code = |availability| admit(&places, availability).unwrap_err().code;
        assert_eq!(code(Availability::Draining), Code::Draining);
        assert_eq!(code(Availability::Failed), Code::Unavailable);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn joins_are_refused_with_their_reason_and_a_time_to_come_back() {
        let (places, queue) = (places(100), JoinQueue::new(10, 100).unwrap());
        let join = |level| {
            let joined = admit_join(&places, Availability::Open, level, &queue, &Pass::None);
            joined.map(|(_, wait)| wait).map_err(|refused| {
                assert!(refused.refusal.retry_after_ms.is_some());
                refused.reason
            })
        };
        assert_eq!(join(Level::RefuseJoins), Err("overload"));
        assert_eq!(join(Level::ThinChat), Ok(Duration::ZERO));
        assert_eq!(join(Level::Normal), Err("joins_per_s"));
        assert_eq!(places.taken(), 0, "a refused join keeps no place");
    }
}
