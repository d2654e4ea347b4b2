use barrage_scaling::{Knee, PolicyConfig};

use super::*;

fn knee() -> Knee {
    Knee { connections: 50_000.0, joins_per_s: 1_500.0, egress_bytes_per_s: Some(200e6), ..Knee::default() }
}

fn setup(trace: Trace, seed: u64) -> Setup {
    Setup { trace, knee: knee(), policy: PolicyConfig::default(), seed }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let trace = Trace::new("short", Curve::new(vec![(0.0, 1e5), (300.0, 4e5), (600.0, 2e5)]));
    for contender in [Contender::Ours, Contender::Hpa] {
        let outcome = |seed| run(&setup(trace.clone(), seed), contender).outcome;
        assert_eq!(outcome(1), outcome(1));
        assert_ne!(outcome(1), outcome(2));
    }
}

/// The world asserts it each second: who is connected or waits is the curve's crowd.
#[test]
fn viewers_are_neither_lost_nor_made() {
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
fn a_death_is_replaced_and_its_viewers_return() {
    let mut trace = Trace::new("death", Curve::flat(4e5));
    trace.viewers = Curve::new(vec![(0.0, 4e5), (600.0, 4e5)]);
    trace.deaths = vec![(100.0, 3)];
    let run = run(&setup(trace, 1), Contender::Ours);
    let last = run.timeline.points.last().unwrap();
    assert!(last.waiting < 1e-6, "{}", last.waiting);
    assert!(last.capacity > last.viewers && run.outcome.wait_viewer_s > 0.0);
}

#[test]
fn the_page_holds_every_trace_and_contender_and_loads_nothing() {
    let mut short = built_in("celebrity").unwrap();
    short.viewers = Curve::new(vec![(0.0, 1e5), (120.0, 3e5)]);
    let campaign = Campaign {
        traces: vec![short.clone(), Trace { name: "<other>".into(), ..short }],
        contenders: vec![Contender::Ours, Contender::Hpa],
        seeds: vec![1, 2],
        knee: knee(),
        policy: PolicyConfig::default(),
    };
    let done = std::sync::atomic::AtomicUsize::new(0);
    let count = || {
        done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    };
    let results = run_all(&campaign, 2, &count);
    assert_eq!(done.into_inner(), campaign.runs());
    let page = html::page(&campaign, &results);
    for text in ["celebrity", "&lt;other&gt;", "hpa", "<svg", "target_utilization"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("NaN"));
    let text = table(&results[0]);
    assert!(text.contains("ours") && text.contains("lower bound"));
}
