//! Conversion of a gateway's report into a candidate of the weights. Pure.

use barrage_bus::{InstanceReport, Registered};
use barrage_scaling::{Candidate, Knee, LoadReport, ObservedGateway, Phase, WeightsConfig};

/// Overload level at which a gateway refuses joins.
const REFUSES_JOINS: u8 = 4;

/// Whether a gateway admits newcomers, by its own report.
pub(crate) fn takes_newcomers(report: &InstanceReport) -> bool {
    phase(report) == Phase::Ready && report.load.has_free_slot()
}

/// Returns the phase of a gateway. One that refuses joins, or reports no maximum of connections, is
/// not ready for newcomers.
fn phase(report: &InstanceReport) -> Phase {
    match report.draining {
        true => Phase::Draining,
        false if report.load.connections_max == 0 => Phase::Unready,
        false if report.load.overload_level >= REFUSES_JOINS => Phase::Unready,
        false => Phase::Ready,
    }
}

/// Makes a candidate of a gateway. `measured` is the knee of the capacity file.
pub(crate) fn candidate(
    registered: &Registered,
    measured: Option<&Knee>,
    weights: &WeightsConfig,
) -> Candidate {
    let report = &registered.report;
    let load = ObservedGateway {
        age_secs: report.age_secs as f64,
        report: Some(report.load.clone()),
        report_age_secs: registered.age.as_secs_f64(),
        ..ObservedGateway::new(report.id.as_str(), phase(report))
    };
    Candidate { load, knee: knee(&report.load, measured, weights) }
}

/// Returns the measured knee, bounded by the gateway's own limits. Without a measurement the limits
/// are the knee, and axes without a limit do not count. A gateway refuses at its limit, so its
/// weight becomes zero there and not before.
fn knee(load: &LoadReport, measured: Option<&Knee>, weights: &WeightsConfig) -> Knee {
    let connections = load.connections_max.max(1) as f64 / weights.shut_at;
    let joins_per_s = if load.joins_per_s_max > 0 { f64::from(load.joins_per_s_max) } else { f64::INFINITY };
    match measured {
        Some(knee) => Knee {
            connections: knee.connections.min(connections),
            joins_per_s: knee.joins_per_s.min(joins_per_s),
            ..knee.clone()
        },
        None => Knee {
            connections,
            joins_per_s,
            deliveries_per_s: None,
            egress_bytes_per_s: None,
            packets_per_s: None,
            cpu_cores: None,
            memory_bytes: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_scaling::Axis;

    #[test]
    fn knee_is_the_measured_one_within_the_gateways_limits() {
        let load = LoadReport { connections_max: 17_000, joins_per_s_max: 0, ..LoadReport::default() };
        let weights = WeightsConfig::default();
        let own = knee(&load, None, &weights);
        assert_eq!((own.connections * weights.shut_at, own.joins_per_s), (17_000.0, f64::INFINITY));
        assert!(Axis::ALL.into_iter().skip(1).all(|axis| own.of(axis).is_infinite()), "{own:?}");
        let measured = Knee { connections: 12_500.0, joins_per_s: 375.0, ..Knee::default() };
        assert_eq!(knee(&load, Some(&measured), &weights), measured);
        let small = LoadReport { connections_max: 60, joins_per_s_max: 40, ..LoadReport::default() };
        let knee = knee(&small, Some(&measured), &weights);
        assert!((knee.connections * weights.shut_at - 60.0).abs() < 1e-9, "{knee:?}");
        assert_eq!(knee.joins_per_s, 40.0);
        assert_eq!(knee.egress_bytes_per_s, measured.egress_bytes_per_s);
    }
}
