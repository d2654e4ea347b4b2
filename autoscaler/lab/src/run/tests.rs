use barrage_scaling::{Knee, PolicyConfig};

use super::*;
use crate::contenders::Contender;
use crate::input::{Curve, Trace};

fn knee() -> Knee {
    Knee { connections: 50_000.0, joins_per_s: 1_500.0, egress_bytes_per_s: Some(200e6), ..Knee::default() }
}

fn setup(trace: Trace, seed: u64) -> Setup {
    Setup { trace, knee: knee(), policy: PolicyConfig::default(), seed }
}

#[test]
fn equal_seeds_give_equal_runs_and_other_seeds_others() {
    let trace = Trace::new("short", Curve::new(vec![(0.0, 1e5), (300.0, 4e5), (600.0, 2e5)]));
    for contender in [Contender::Ours, Contender::Hpa] {
        let outcome = |seed| run(&setup(trace.clone(), seed), contender).outcome;
        assert_eq!(outcome(1), outcome(1));
        assert_ne!(outcome(1), outcome(2));
    }
}

/// The simulation asserts each second that connected and waiting viewers are those of the trace.
#[test]
fn viewers_are_conserved_through_deaths_and_blackouts() {
    let mut trace = Trace::new("busy", Curve::new(vec![(0.0, 1e5), (300.0, 9e5), (900.0, 2e5)]));
    trace.deaths = vec![(400.0, 2)];
    trace.blackouts = vec![(200.0, 260.0)];
    for contender in [Contender::Ours, Contender::OursService, Contender::HpaEntry, Contender::Kpa] {
        let run = run(&setup(trace.clone(), 3), contender);
        assert!(run.timeline.points.len() > 300);
        for point in &run.timeline.points {
            assert!(point.waiting >= 0.0 && point.waiting <= point.viewers * 1.001, "{contender:?}");
            assert!(point.utilization.is_finite() && point.skew >= 0.99);
        }
        assert!(run.outcome.gateway_hours > 0.0);
    }
}

#[test]
fn dead_gateways_are_replaced_and_their_viewers_return() {
    let mut trace = Trace::new("death", Curve::flat(4e5));
    trace.viewers = Curve::new(vec![(0.0, 4e5), (600.0, 4e5)]);
    trace.deaths = vec![(100.0, 3)];
    let run = run(&setup(trace, 1), Contender::Ours);
    let last = run.timeline.points.last().unwrap();
    assert!(last.waiting < 1e-6, "{}", last.waiting);
    assert!(last.capacity > last.viewers && run.outcome.wait_viewer_s > 0.0);
}
