//! What the fleet can admit, by its load reports. Pure.

use barrage_bus::InstanceReport;

/// A gateway at this overload level refuses joins.
const REFUSES_JOINS: u8 = 4;
/// Share of the fleet's joins that is given out however many come by themselves, so
/// that a wrong report never shuts the door.
const LEAST_SHARE: f64 = 0.05;

/// The gateways that take newcomers, summed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Fleet {
    /// Joins a second at most; `None` where a gateway names no limit.
    joins_per_s_max: Option<f64>,
    joins_per_s: f64,
    /// Connections that are free.
    pub(crate) seats: u64,
}

impl Fleet {
    pub(crate) fn of<'a>(reports: impl IntoIterator<Item = &'a InstanceReport>) -> Self {
        let mut fleet = Fleet { joins_per_s_max: Some(0.0), ..Fleet::default() };
        for report in reports {
            let load = &report.load;
            let seats = load.connections_max.saturating_sub(load.connections);
            if report.draining || seats == 0 || load.overload_level >= REFUSES_JOINS {
                continue;
            }
            let limit = (load.joins_per_s_max > 0).then_some(f64::from(load.joins_per_s_max));
            fleet.joins_per_s_max = fleet.joins_per_s_max.zip(limit).map(|(sum, limit)| sum + limit);
            fleet.joins_per_s += load.joins_per_s.max(0.0);
            fleet.seats = fleet.seats.saturating_add(seats);
        }
        fleet
    }

    /// Joins a second that may be given out: the share of what the gateways take, less
    /// what comes in without having been sent from here. `own_per_s` of the reported
    /// joins were sent from here. `None`: no limit is known.
    pub(crate) fn admissible_per_s(&self, own_per_s: f64, share: f64) -> Option<f64> {
        let max = self.joins_per_s_max?;
        let by_themselves = (self.joins_per_s - own_per_s).max(0.0);
        Some(((max - by_themselves).max(max * LEAST_SHARE)) * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moments::{Bounds, Moments};
    use barrage_bus::{GatewayLoad, Role};
    use std::time::Duration;

    fn gateway(joins_per_s: f64, connections: u64) -> InstanceReport {
        let load = GatewayLoad {
            connections,
            connections_max: 1_000,
            joins_per_s,
            joins_per_s_max: 100,
            ..GatewayLoad::default()
        };
        InstanceReport { load, ..InstanceReport::new(Role::Gateway, "g") }
    }

    #[test]
    fn those_that_take_nobody_count_for_nothing() {
        let draining = InstanceReport { draining: true, ..gateway(50.0, 0) };
        let mut overloaded = gateway(50.0, 0);
        overloaded.load.overload_level = REFUSES_JOINS;
        let fleet = Fleet::of(&[gateway(10.0, 400), gateway(0.0, 1_000), draining, overloaded]);
        assert_eq!(fleet, Fleet { joins_per_s_max: Some(100.0), joins_per_s: 10.0, seats: 600 });
        assert_eq!(Fleet::of(&[]).admissible_per_s(0.0, 1.0), Some(0.0));
    }

    #[test]
    fn who_was_sent_from_here_is_not_counted_twice() {
        let fleet = Fleet::of(&[gateway(90.0, 0), gateway(60.0, 0)]);
        assert_eq!(fleet.admissible_per_s(150.0, 1.0), Some(200.0));
        assert_eq!(fleet.admissible_per_s(0.0, 1.0), Some(50.0));
        assert_eq!(fleet.admissible_per_s(100.0, 0.5), Some(75.0));
        let storm = Fleet::of(&[gateway(5_000.0, 0)]);
        assert_eq!(storm.admissible_per_s(0.0, 1.0), Some(5.0));
    }

    #[test]
    fn a_gateway_that_names_no_limit_has_none() {
        let mut unlimited = gateway(0.0, 0);
        unlimited.load.joins_per_s_max = 0;
        assert_eq!(Fleet::of(&[gateway(0.0, 0), unlimited]).admissible_per_s(0.0, 1.0), None);
    }

    /// Joins in each second, where 2,000 a second ask for half a minute, the fleet takes
    /// 1,000 and reports a second late, clients need up to 400 ms from their moment, and
    /// `strangers_per_s` come without asking.
    fn crowd(strangers_per_s: u64) -> Vec<u64> {
        const SECS: u64 = 30;
        const BOUNDS: Bounds =
            Bounds { at_once: Duration::from_millis(500), wait_max: Duration::from_secs(60) };
        let (mut moments, mut joins) = (Moments::default(), vec![0_u64; 200]);
        for ms in 0..SECS * 1_000 {
            let second = ms / 1_000;
            if ms % 1_000 < strangers_per_s {
                joins[second as usize] += 1;
            }
            let reported = if second >= 1 { joins[second as usize - 1] } else { 0 };
            let mut report = gateway(reported as f64, 0);
            (report.load.joins_per_s_max, report.load.connections_max) = (1_000, 1_000_000);
            let now = Duration::from_millis(ms);
            for n in 0..2 {
                let per_s = Fleet::of([&report]).admissible_per_s(moments.due_per_s(now), 0.8).unwrap();
                if let Ok(wait) = moments.take(per_s, now, &BOUNDS) {
                    let latency_ms = (ms * 2 + n) * 7_919 % 400;
                    let at_ms = ms + u64::try_from(wait.as_millis()).unwrap() + latency_ms;
                    joins[(at_ms / 1_000) as usize] += 1;
                }
            }
        }
        joins.truncate(SECS as usize);
        joins
    }

    #[test]
    fn a_crowd_fills_its_share_and_no_more() {
        let joins = crowd(0);
        assert!(joins.iter().skip(2).all(|joins| (790..=810).contains(joins)), "{joins:?}");
        let joins = crowd(300);
        assert!(joins.iter().skip(3).all(|joins| (850..=1_000).contains(joins)), "{joins:?}");
    }
}
