//! The six traces that every policy is judged on.

use barrage_scaling::Schedule;

use super::curve::Curve;
use super::trace::Trace;

/// A celebrity: from 100,000 viewers to two million within four minutes.
fn celebrity() -> Trace {
    let crowd = [(0.0, 1e5), (600.0, 1e5), (840.0, 2e6), (2_040.0, 2e6), (3_000.0, 6e5), (3_600.0, 2e5)];
    let announced = Schedule {
        name: "celebrity".into(),
        start_secs: 600.0,
        duration_secs: 1_200.0,
        every_secs: 0.0,
        viewers: 2e6,
        replicas_min: 0,
    };
    Trace { schedules: vec![announced], ..Trace::new("celebrity", Curve::new(crowd.to_vec())) }
}

/// The same viewers all the time; the chat gets six times as heavy for 25 minutes.
fn hot_chat() -> Trace {
    let egress = [(0.0, 1_500.0), (900.0, 1_500.0), (960.0, 9_000.0), (2_400.0, 9_000.0), (2_460.0, 1_500.0)];
    let viewers = Curve::new(vec![(0.0, 5e5), (3_600.0, 5e5)]);
    Trace { egress_per_viewer: Curve::new(egress.to_vec()), ..Trace::new("hot_chat", viewers) }
}

/// A day in four hours.
fn diurnal() -> Trace {
    let crowd = [(0.0, 1e5), (7_200.0, 6e5), (14_400.0, 1e5)];
    Trace::new("diurnal", Curve::new(crowd.to_vec()))
}

/// Three shows in a row: half an hour of growth, ten minutes of leaving, a pause.
fn saw() -> Trace {
    let mut crowd = Vec::new();
    for tooth in 0..3 {
        let from = 3_600.0 * f64::from(tooth);
        crowd.extend([(from, 2e5), (from + 1_800.0, 8e5), (from + 2_400.0, 2e5)]);
    }
    crowd.push((10_800.0, 2e5));
    Trace::new("saw", Curve::new(crowd))
}

/// Celebrity, and no load report for two minutes in the middle of the spike.
fn blackout() -> Trace {
    Trace { name: "blackout".into(), blackouts: vec![(660.0, 780.0)], ..celebrity() }
}

/// Celebrity where a gateway takes two minutes to be useful.
fn slow_nodes() -> Trace {
    Trace { name: "slow_nodes".into(), provision_secs: 120.0, ..celebrity() }
}

/// All of them.
#[must_use]
pub fn built_ins() -> Vec<Trace> {
    vec![celebrity(), hot_chat(), diurnal(), saw(), blackout(), slow_nodes()]
}

/// One by its name.
#[must_use]
pub fn built_in(name: &str) -> Option<Trace> {
    built_ins().into_iter().find(|trace| trace.name == name)
}
