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
    use barrage_bus::{GatewayLoad, Role};

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
}
