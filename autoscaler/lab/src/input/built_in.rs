//! The six built-in traces on which policies are compared.

use barrage_scaling::Schedule;

use super::curve::Curve;
use super::trace::Trace;

/// A celebrity joins: from 100,000 viewers to two million within four minutes.
fn celebrity() -> Trace {
    let viewers = [(0.0, 1e5), (600.0, 1e5), (840.0, 2e6), (2_040.0, 2e6), (3_000.0, 6e5), (3_600.0, 2e5)];
    let announced = Schedule {
        name: "celebrity".into(),
        start_secs: 600.0,
        duration_secs: 1_200.0,
        every_secs: 0.0,
        viewers: 2e6,
        replicas_min: 0,
    };
    Trace { schedules: vec![announced], ..Trace::new("celebrity", Curve::new(viewers.to_vec())) }
}

/// A constant number of viewers; egress per viewer is six times as high for 25 minutes.
fn hot_chat() -> Trace {
    let egress = [(0.0, 1_500.0), (900.0, 1_500.0), (960.0, 9_000.0), (2_400.0, 9_000.0), (2_460.0, 1_500.0)];
    let viewers = Curve::new(vec![(0.0, 5e5), (3_600.0, 5e5)]);
    Trace { egress_per_viewer: Curve::new(egress.to_vec()), ..Trace::new("hot_chat", viewers) }
}

/// The daily rise and fall of viewers, compressed to four hours.
fn diurnal() -> Trace {
    let viewers = [(0.0, 1e5), (7_200.0, 6e5), (14_400.0, 1e5)];
    Trace::new("diurnal", Curve::new(viewers.to_vec()))
}

/// Three shows in a row: viewers grow for half an hour, leave within ten minutes, then pause.
fn saw() -> Trace {
    let mut viewers = Vec::new();
    for tooth in 0..3 {
        let from = 3_600.0 * f64::from(tooth);
        viewers.extend([(from, 2e5), (from + 1_800.0, 8e5), (from + 2_400.0, 2e5)]);
    }
    viewers.push((10_800.0, 2e5));
    Trace::new("saw", Curve::new(viewers))
}

/// `celebrity` without load reports for two minutes in the middle of the spike.
fn blackout() -> Trace {
    Trace { name: "blackout".into(), blackouts: vec![(660.0, 780.0)], ..celebrity() }
}

/// `celebrity` with gateways that take two minutes to start.
fn slow_nodes() -> Trace {
    Trace { name: "slow_nodes".into(), provision_secs: 120.0, ..celebrity() }
}

/// Returns all built-in traces, each made anew.
#[must_use]
pub fn built_ins() -> Vec<Trace> {
    vec![celebrity(), hot_chat(), diurnal(), saw(), blackout(), slow_nodes()]
}

/// Returns the built-in trace of a name.
#[must_use]
pub fn built_in(name: &str) -> Option<Trace> {
    built_ins().into_iter().find(|trace| trace.name == name)
}
