//! How fast viewers are sent away. Pure.

use std::time::Duration;

use barrage_bus::InstanceReport;

/// Share of the others' free joins that leaving viewers may take; the rest is for
/// newcomers.
const ACCEPT_SHARE: f64 = 0.8;
/// After the last viewer was told, for it to arrive elsewhere.
const ARRIVE: Duration = Duration::from_secs(5);

/// The time that a departure takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Viewers are told one by one over this time,
    pub(crate) telling: Duration,
    /// and whoever is still there after this is closed.
    pub(crate) whole: Duration,
}

impl Span {
    /// The last viewers told get some seconds to arrive; in a short time, half of it.
    pub(crate) fn within(whole: Duration) -> Self {
        Span { telling: whole - ARRIVE.min(whole / 2), whole }
    }

    /// At the pace that the others admit, but not faster than `least` says, and over
    /// within `most`. Without another gateway there is nothing to wait for.
    pub(crate) fn paced(viewers: u64, others: &Others, least: Duration, most: Duration) -> Self {
        let by_least = Span::within(least);
        if others.count == 0 {
            return by_least;
        }
        let secs = viewers as f64 / others.joins_per_s;
        let by_pace = Duration::try_from_secs_f64(secs).unwrap_or(most).min(most);
        let telling = by_least.telling.max(by_pace);
        let whole = least.max(telling + ARRIVE.min(telling));
        if whole > most.max(least) { Span::within(most.max(least)) } else { Span { telling, whole } }
    }

    /// How many of `all` are to have been told by now.
    pub(crate) fn told_by(&self, elapsed: Duration, all: usize) -> usize {
        if elapsed >= self.telling {
            return all;
        }
        let share = elapsed.as_secs_f64() / self.telling.as_secs_f64();
        ((all as f64 * share) as usize).min(all)
    }
}

/// The gateways that viewers can go to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Others {
    /// How many there are.
    pub(crate) count: usize,
    /// What they take of this gateway's viewers in a second.
    pub(crate) joins_per_s: f64,
}

impl Others {
    /// Gateways that drain at the same time share the others' joins.
    pub(crate) fn of<'a>(own_id: &str, reports: impl IntoIterator<Item = &'a InstanceReport>) -> Self {
        let (mut others, mut leaving) = (Others::default(), 1.0);
        for report in reports.into_iter().filter(|report| report.id != own_id) {
            if report.draining {
                leaving += 1.0;
                continue;
            }
            others.count += 1;
            if report.load.has_free_slot() {
                others.joins_per_s +=
                    (f64::from(report.load.joins_per_s_max) - report.load.joins_per_s).max(0.0);
            }
        }
        others.joins_per_s *= ACCEPT_SHARE / leaving;
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_bus::Role;
    use barrage_scaling::LoadReport;
    use proptest::prelude::*;

    const LEAST: Duration = Duration::from_secs(3);
    const MOST: Duration = Duration::from_secs(120);

    fn gateway(id: &str, joins_per_s: f64, joins_per_s_max: u32) -> InstanceReport {
        let load = LoadReport { connections_max: 100, joins_per_s, joins_per_s_max, ..LoadReport::default() };
        InstanceReport { load, ..InstanceReport::new(Role::Gateway, id) }
    }

    #[test]
    fn what_the_others_have_free_and_share() {
        let draining = InstanceReport { draining: true, ..gateway("c", 0.0, 1_000) };
        let mut full = gateway("d", 0.0, 1_000);
        full.load.connections = 100.0;
        let reports = [gateway("own", 0.0, 900), gateway("a", 50.0, 100), gateway("b", 150.0, 100), full];
        assert_eq!(Others::of("own", &reports), Others { count: 3, joins_per_s: 40.0 });
        let with_draining = [gateway("a", 50.0, 100), draining];
        assert_eq!(Others::of("own", &with_draining), Others { count: 1, joins_per_s: 20.0 });
    }

    #[test]
    fn as_slow_as_the_others_need_within_the_bounds() {
        let secs = |telling, whole| Span {
            telling: Duration::from_secs_f64(telling),
            whole: Duration::from_secs_f64(whole),
        };
        let others = |joins_per_s| Others { count: 2, joins_per_s };
        assert_eq!(Span::paced(9_000, &Others::default(), LEAST, MOST), secs(1.5, 3.0));
        assert_eq!(Span::paced(10, &others(100.0), LEAST, MOST), secs(1.5, 3.0));
        assert_eq!(Span::paced(2_000, &others(100.0), LEAST, MOST), secs(20.0, 25.0));
        assert_eq!(Span::paced(90_000, &others(100.0), LEAST, MOST), secs(115.0, 120.0));
        assert_eq!(Span::paced(10, &others(0.0), LEAST, MOST), secs(115.0, 120.0));
        assert_eq!(Span::paced(0, &others(0.0), Duration::ZERO, MOST), secs(115.0, 120.0));
    }

    proptest! {
        #[test]
        fn never_faster_than_the_others_admit(viewers in 0_u64..200_000, joins_per_s in 1.0_f64..5_000.0, least in 0_u64..30, most in 1_u64..200) {
            let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
            let span = Span::paced(viewers, &Others { count: 1, joins_per_s }, least, most);
            prop_assert!(span.telling <= span.whole && span.whole <= most.max(least));
            let is_bounded = span.whole == most.max(least);
            prop_assert!(is_bounded || viewers as f64 / span.telling.as_secs_f64().max(1e-9) <= joins_per_s * 1.001);
        }

        #[test]
        fn everybody_is_told_by_the_end_and_evenly(all in 0_usize..10_000, telling_ms in 0_u64..100_000, at_ms in 0_u64..120_000) {
            let span = Span { telling: Duration::from_millis(telling_ms), whole: Duration::MAX };
            let told = span.told_by(Duration::from_millis(at_ms), all);
            let due = all as f64 * at_ms as f64 / telling_ms.max(1) as f64;
            prop_assert!(told <= all && (at_ms >= telling_ms || (told as f64 - due).abs() <= 1.0));
            prop_assert!(at_ms < telling_ms || told == all);
        }
    }
}
