//! Race times by location of the client and endpoint, from which entry learns its costs. Pure.

use std::collections::HashMap;
use std::time::Duration;

use super::report::{Kind, Measured};
use super::samples::{Samples, Source};
use crate::place::Location;

/// Maximum pairs of a location and an endpoint: about 16 MB with all their times. At the bound, pairs
/// of old times and of endpoints that have left are removed; times of further pairs are ignored.
const PAIRS_MAX: usize = 8_192;
/// Time between two removals at the bound: each looks at all pairs.
const REMOVAL_PERIOD: Duration = Duration::from_secs(10);

/// Limits from which race times count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RaceLimits {
    /// Sources that must have reported a time of an endpoint.
    pub(crate) sources_min: usize,
    /// Age at which a time counts half.
    pub(crate) half_life: Duration,
}

/// Race times of all endpoints, apart for the clients of each location.
#[derive(Debug)]
pub(crate) struct RaceTimes {
    limits: RaceLimits,
    groups: HashMap<Location, Group>,
    pairs: usize,
    removed: Option<Duration>,
}

/// Times of the clients of one location, by the id of the endpoint.
#[derive(Debug, Default)]
struct Group {
    gateways: HashMap<String, Samples>,
    uplinks: HashMap<String, Samples>,
}

impl Group {
    fn of(&mut self, kind: Kind) -> &mut HashMap<String, Samples> {
        match kind {
            Kind::Gateway => &mut self.gateways,
            Kind::Uplink => &mut self.uplinks,
        }
    }
}

impl RaceTimes {
    pub(crate) fn new(limits: RaceLimits) -> Self {
        RaceTimes { limits, groups: HashMap::new(), pairs: 0, removed: None }
    }

    /// Takes the times of a report. `is_known` answers at the bound which endpoints are still there.
    /// Returns the number of times that were ignored for want of space.
    pub(crate) fn take(
        &mut self,
        location: &Location,
        source: Source,
        measured: &[Measured],
        is_known: impl Fn(Kind, &str) -> bool,
        now: Duration,
    ) -> usize {
        let mut ignored = 0;
        for Measured { kind, id, ms } in measured {
            let known = self.groups.get_mut(location).and_then(|group| group.of(*kind).get_mut(id));
            if let Some(samples) = known {
                samples.take(source, *ms, now);
                continue;
            }
            if self.pairs >= PAIRS_MAX {
                self.remove_old(&is_known, now);
            }
            if self.pairs >= PAIRS_MAX {
                ignored += 1;
                continue;
            }
            let group = self.groups.entry(location.clone()).or_default();
            group.of(*kind).entry(id.clone()).or_default().take(source, *ms, now);
            self.pairs += 1;
        }
        ignored
    }

    /// Returns the median time of each endpoint for clients of a location, in milliseconds.
    pub(crate) fn medians<'a>(
        &mut self,
        location: &Location,
        kind: Kind,
        ids: impl Iterator<Item = &'a str>,
        now: Duration,
    ) -> Vec<Option<f64>> {
        let Some(group) = self.groups.get_mut(location) else { return ids.map(|_| None).collect() };
        let (known, limits) = (group.of(kind), &self.limits);
        ids.map(|id| known.get_mut(id)?.median(limits, now)).collect()
    }

    /// Returns the number of pairs of a location and an endpoint with times.
    pub(crate) const fn pairs(&self) -> usize {
        self.pairs
    }

    fn remove_old(&mut self, is_known: impl Fn(Kind, &str) -> bool, now: Duration) {
        if self.removed.is_some_and(|at| now < at + REMOVAL_PERIOD) {
            return;
        }
        self.removed = Some(now);
        let limits = self.limits;
        for group in self.groups.values_mut() {
            for kind in [Kind::Gateway, Kind::Uplink] {
                group.of(kind).retain(|id, samples| is_known(kind, id) && !samples.is_old(&limits, now));
            }
        }
        self.groups.retain(|_, group| !group.gateways.is_empty() || !group.uplinks.is_empty());
        self.pairs = self.groups.values().map(|group| group.gateways.len() + group.uplinks.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const LIMITS: RaceLimits = RaceLimits { sources_min: 3, half_life: Duration::from_secs(600) };

    fn location(region: &str) -> Location {
        Location { region: Some(region.to_owned()), carrier: None }
    }

    fn source(n: u8) -> Source {
        Source::of(IpAddr::from([10, 0, n, 1]))
    }

    fn time(kind: Kind, id: &str, ms: f64) -> Measured {
        Measured { kind, id: id.to_owned(), ms }
    }

    #[test]
    fn times_are_apart_by_location_and_kind() {
        let mut times = RaceTimes::new(LIMITS);
        let now = Duration::from_secs(1);
        for n in 0..3 {
            let east = [time(Kind::Gateway, "a", 20.0), time(Kind::Uplink, "a", 90.0)];
            assert_eq!(times.take(&location("east"), source(n), &east, |_, _| true, now), 0);
            times.take(&location("west"), source(n), &[time(Kind::Gateway, "a", 300.0)], |_, _| true, now);
        }
        let mut of = |region: &str, kind| times.medians(&location(region), kind, ["a", "b"].into_iter(), now);
        assert_eq!(of("east", Kind::Gateway), [Some(20.0), None]);
        assert_eq!(of("east", Kind::Uplink), [Some(90.0), None]);
        assert_eq!(of("west", Kind::Gateway), [Some(300.0), None]);
        assert_eq!(of("north", Kind::Gateway), [None, None]);
        assert_eq!(times.pairs(), 3);
    }

    #[test]
    fn at_the_bound_what_is_gone_makes_space_and_the_rest_is_ignored() {
        let mut times = RaceTimes::new(LIMITS);
        let ids: Vec<_> = (0..PAIRS_MAX).map(|n| time(Kind::Gateway, &format!("old-{n}"), 1.0)).collect();
        let here = location("east");
        assert_eq!(times.take(&here, source(1), &ids, |_, _| true, Duration::ZERO), 0);
        let more = [time(Kind::Gateway, "new", 1.0)];
        assert_eq!(times.take(&here, source(1), &more, |_, _| true, Duration::ZERO), 1);
        let known = |_: Kind, id: &str| id == "new" || id == "old-7";
        let soon = Duration::from_secs(9);
        assert_eq!(times.take(&here, source(1), &more, known, soon), 1, "removals are 10 s apart");
        let later = Duration::from_secs(10);
        assert_eq!(times.take(&here, source(1), &more, known, later), 0);
        assert_eq!(times.pairs(), 2);
    }
}
