use std::time::Duration;

use barrage_bus::InstanceReport;

/// Share of the peers' free joins that drained viewers may take; new viewers get the rest.
const ACCEPT_SHARE: f64 = 0.8;
/// Time between the last notification and the deadline, in which the last viewers arrive elsewhere.
const ARRIVE: Duration = Duration::from_secs(5);

/// Times of a drain, from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrainSchedule {
    /// Viewers are notified evenly over this time.
    pub(crate) notify_for: Duration,
    /// Viewers still connected after this time are closed.
    pub(crate) deadline: Duration,
}

impl DrainSchedule {
    /// Keeps five seconds for the last viewers to arrive, or half of a shorter time.
    pub(crate) fn within(deadline: Duration) -> Self {
        DrainSchedule { notify_for: deadline - ARRIVE.min(deadline / 2), deadline }
    }

    /// Notifies viewers as fast as the peers admit them, over `least` at the fastest and `most` at
    /// the slowest. Without a peer, nothing is gained by waiting: the drain takes `least`.
    pub(crate) fn paced(viewers: u64, peers: &Peers, least: Duration, most: Duration) -> Self {
        let fastest = DrainSchedule::within(least);
        if peers.count == 0 {
            return fastest;
        }
        let secs = viewers as f64 / peers.joins_per_s;
        let paced = Duration::try_from_secs_f64(secs).unwrap_or(most).min(most);
        let notify_for = fastest.notify_for.max(paced);
        let deadline = least.max(notify_for + ARRIVE.min(notify_for));
        let slowest = most.max(least);
        if deadline > slowest {
            DrainSchedule::within(slowest)
        } else {
            DrainSchedule { notify_for, deadline }
        }
    }

    /// Returns how many of `all` viewers must have been notified after this time.
    pub(crate) fn notified_by(&self, elapsed: Duration, all: usize) -> usize {
        if elapsed >= self.notify_for {
            return all;
        }
        let share = elapsed.as_secs_f64() / self.notify_for.as_secs_f64();
        ((all as f64 * share) as usize).min(all)
    }
}

/// Other gateways that viewers can go to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Peers {
    /// Gateways that do not drain, full ones included.
    pub(crate) count: usize,
    /// Viewers of this gateway that they admit in a second.
    pub(crate) joins_per_s: f64,
}

impl Peers {
    /// Sums the peers' free joins. Gateways that drain at the same time share them.
    pub(crate) fn of<'a>(own_id: &str, reports: impl IntoIterator<Item = &'a InstanceReport>) -> Self {
        let (mut peers, mut draining) = (Peers::default(), 1.0);
        for report in reports.into_iter().filter(|report| report.id != own_id) {
            if report.draining {
                draining += 1.0;
                continue;
            }
            peers.count += 1;
            if report.load.has_free_slot() {
                peers.joins_per_s +=
                    (f64::from(report.load.joins_per_s_max) - report.load.joins_per_s).max(0.0);
            }
        }
        peers.joins_per_s *= ACCEPT_SHARE / draining;
        peers
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
    fn peers_free_joins_are_shared_by_gateways_that_drain() {
        let draining = InstanceReport { draining: true, ..gateway("c", 0.0, 1_000) };
        let mut full = gateway("d", 0.0, 1_000);
        full.load.connections = 100.0;
        let reports = [gateway("own", 0.0, 900), gateway("a", 50.0, 100), gateway("b", 150.0, 100), full];
        assert_eq!(Peers::of("own", &reports), Peers { count: 3, joins_per_s: 40.0 });
        let with_draining = [gateway("a", 50.0, 100), draining];
        assert_eq!(Peers::of("own", &with_draining), Peers { count: 1, joins_per_s: 20.0 });
    }

    #[test]
    fn a_drain_is_as_slow_as_the_peers_need_within_its_bounds() {
        let secs = |notify_for, deadline| DrainSchedule {
            notify_for: Duration::from_secs_f64(notify_for),
            deadline: Duration::from_secs_f64(deadline),
        };
        let peers = |joins_per_s| Peers { count: 2, joins_per_s };
        assert_eq!(DrainSchedule::paced(9_000, &Peers::default(), LEAST, MOST), secs(1.5, 3.0));
        assert_eq!(DrainSchedule::paced(10, &peers(100.0), LEAST, MOST), secs(1.5, 3.0));
        assert_eq!(DrainSchedule::paced(2_000, &peers(100.0), LEAST, MOST), secs(20.0, 25.0));
        assert_eq!(DrainSchedule::paced(90_000, &peers(100.0), LEAST, MOST), secs(115.0, 120.0));
        assert_eq!(DrainSchedule::paced(10, &peers(0.0), LEAST, MOST), secs(115.0, 120.0));
        assert_eq!(DrainSchedule::paced(0, &peers(0.0), Duration::ZERO, MOST), secs(115.0, 120.0));
    }

    proptest! {
        #[test]
        fn a_drain_is_never_faster_than_the_peers_admit(viewers in 0_u64..200_000, joins_per_s in 1.0_f64..5_000.0, least in 0_u64..30, most in 1_u64..200) {
            let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
            let schedule = DrainSchedule::paced(viewers, &Peers { count: 1, joins_per_s }, least, most);
            prop_assert!(schedule.notify_for <= schedule.deadline && schedule.deadline <= most.max(least));
            let is_bounded = schedule.deadline == most.max(least);
            prop_assert!(is_bounded || viewers as f64 / schedule.notify_for.as_secs_f64().max(1e-9) <= joins_per_s * 1.001);
        }

        #[test]
        fn all_viewers_are_notified_evenly_until_the_end(all in 0_usize..10_000, notify_ms in 0_u64..100_000, at_ms in 0_u64..120_000) {
            let schedule = DrainSchedule { notify_for: Duration::from_millis(notify_ms), deadline: Duration::MAX };
            let notified = schedule.notified_by(Duration::from_millis(at_ms), all);
            let due = all as f64 * at_ms as f64 / notify_ms.max(1) as f64;
            prop_assert!(notified <= all && (at_ms >= notify_ms || (notified as f64 - due).abs() <= 1.0));
            prop_assert!(at_ms < notify_ms || notified == all);
        }
    }
}
