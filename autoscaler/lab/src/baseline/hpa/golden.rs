use super::*;

const NOW: f64 = 10_000.0;

/// A ready pod that asks for 1,000 millicores and started long ago.
fn ready(name: u32) -> Pod {
    Pod {
        name,
        phase: PodPhase::Running,
        deleting: false,
        ready: true,
        started_secs: 0.0,
        turned_secs: 10.0,
        request: 1_000,
    }
}

fn pending(name: u32) -> Pod {
    Pod { phase: PodPhase::Pending, ready: false, ..ready(name) }
}

fn deleting(name: u32) -> Pod {
    Pod { deleting: true, ..ready(name) }
}

fn failed(name: u32) -> Pod {
    Pod { phase: PodPhase::Failed, ready: false, ..ready(name) }
}

/// Started a minute ago and not ready.
fn young_unready(name: u32) -> Pod {
    Pod { started_secs: NOW - 60.0, turned_secs: NOW - 60.0, ready: false, ..ready(name) }
}

/// Started a minute ago, ready since then.
fn young_ready(name: u32) -> Pod {
    Pod { started_secs: NOW - 60.0, turned_secs: NOW - 50.0, ..ready(name) }
}

/// Turned ready so late that its last sample reaches back before it.
fn just_ready(name: u32) -> Pod {
    Pod { started_secs: NOW - 60.0, turned_secs: NOW - 10.0, ..ready(name) }
}

/// Old, was ready once, is not now.
fn lost_readiness(name: u32) -> Pod {
    Pod { turned_secs: NOW - 100.0, ready: false, ..ready(name) }
}

/// Makes an old pod that was never ready.
fn never_ready(name: u32) -> Pod {
    Pod { turned_secs: 5.0, ready: false, ..ready(name) }
}

/// Values for pods 0, 1, ...; a negative one is missing.
fn samples(values: &[i64]) -> Samples {
    let sample = |value: &i64| Sample { value: *value, at_secs: NOW, window_secs: 30.0 };
    let known = values.iter().zip(0..).filter(|(value, _)| **value >= 0);
    known.map(|(value, name)| (name, sample(value))).collect()
}

/// Pods 0, 1, ... by their letters.
fn pods(kinds: &str) -> Vec<Pod> {
    let pod = |(kind, name)| match kind {
        'r' => ready(name),
        'p' => pending(name),
        'd' => deleting(name),
        'f' => failed(name),
        'y' => young_unready(name),
        'Y' => young_ready(name),
        'j' => just_ready(name),
        'l' => lost_readiness(name),
        'n' => never_ready(name),
        _ => panic!("no such pod: {kind}"),
    };
    kinds.chars().zip(0..).map(pod).collect()
}

fn answer(metric: &Metric, pods: &[Pod], current: u32) -> Result<u32, MetricError> {
    replicas_for(metric, pods, current, Tolerance::default(), NOW)
}

/// Averages over pods, target 100, `current` replicas.
#[test]
fn averages_over_pods_give_the_documented_replicas() {
    type Case = (&'static str, u32, &'static str, &'static [i64], Result<u32, MetricError>);
    let cases: [Case; 20] = [
        ("on target", 2, "rr", &[100, 100], Ok(2)),
        ("upper edge of the tolerance", 2, "rr", &[110, 110], Ok(2)),
        ("above the upper edge", 2, "rr", &[111, 111], Ok(3)),
        ("lower edge of the tolerance", 10, "rrrrrrrrrr", &[90; 10], Ok(10)),
        ("below the lower edge", 10, "rrrrrrrrrr", &[89; 10], Ok(9)),
        ("twice the target", 3, "rrr", &[200; 3], Ok(6)),
        ("half of the target", 4, "rrrr", &[50; 4], Ok(2)),
        ("nothing at all", 4, "rrrr", &[0; 4], Ok(0)),
        ("the mean decides", 2, "rr", &[300, 100], Ok(4)),
        ("the mean is cut to a whole number", 2, "rr", &[110, 111], Ok(2)),
        ("missing when going up counts nothing", 3, "rrr", &[300, 300, -1], Ok(6)),
        ("missing turns a rise round: stay", 3, "rrr", &[130, 130, -1], Ok(3)),
        ("missing when going down counts the target", 4, "rrrr", &[40, 40, 40, -1], Ok(3)),
        ("missing keeps a fall within the tolerance", 2, "rr", &[85, -1], Ok(2)),
        ("pending when going up counts nothing", 3, "rrp", &[300, 300, -1], Ok(6)),
        ("pending damps a rise to nothing", 3, "rrp", &[160, 160, -1], Ok(3)),
        ("pending when going down is left out", 3, "rrp", &[50, 50, -1], Ok(1)),
        ("deleting is left out with its load", 3, "rrd", &[200, 200, 900], Ok(4)),
        ("failed is left out", 3, "rrf", &[200, 200, -1], Ok(4)),
        ("nobody has a value", 2, "rr", &[-1, -1], Err(MetricError::NoMetrics)),
    ];
    for (what, current, kinds, values, expected) in cases {
        let metric = Metric::Pods { target: 100, samples: samples(values) };
        assert_eq!(answer(&metric, &pods(kinds), current), expected, "{what}");
    }
    let none = Metric::Pods { target: 100, samples: samples(&[]) };
    assert_eq!(answer(&none, &[], 2), Err(MetricError::NoPods));
    // Unlike CPU, readiness does not matter here.
    let metric = Metric::Pods { target: 100, samples: samples(&[200, 200]) };
    assert_eq!(answer(&metric, &pods("ry"), 2), Ok(4));
}

/// CPU in percent of 1,000 millicores, target 50.
#[test]
fn cpu_utilisation_gives_the_documented_replicas() {
    type Case = (&'static str, u32, &'static str, &'static [i64], u32);
    let cases: [Case; 13] = [
        ("on target", 2, "rr", &[500, 500], 2),
        ("percent is whole: 55.9 is 55", 2, "rr", &[559, 559], 2),
        ("one more percent", 2, "rr", &[560, 560], 3),
        ("at the lower edge", 4, "rrrr", &[450; 4], 4),
        ("under it", 4, "rrrr", &[380; 4], 4),
        ("well under it", 4, "rrrr", &[370; 4], 3),
        ("missing going down counts its whole request", 4, "rrrr", &[200, 200, 200, -1], 4),
        ("missing going up counts nothing", 3, "rrr", &[900, 900, -1], 4),
        ("unready and young going up counts nothing", 2, "ry", &[1_500, 900], 3),
        ("unready and young going down is left out", 2, "ry", &[200, 0], 1),
        ("ready, but the sample reaches back before it", 2, "rj", &[700, 5_000], 2),
        ("young and ready counts", 2, "rY", &[700, 700], 3),
        ("was ready once: counts", 2, "rl", &[700, 700], 3),
    ];
    for (what, current, kinds, values, expected) in cases {
        let metric = Metric::Cpu { target: 50, samples: samples(values) };
        assert_eq!(answer(&metric, &pods(kinds), current), Ok(expected), "{what}");
    }
    let metric = Metric::Cpu { target: 50, samples: samples(&[2_000, 900]) };
    assert_eq!(answer(&metric, &pods("rn"), 2), Ok(4), "never ready: counts nothing");
    let metric = Metric::Cpu { target: 50, samples: samples(&[900, 900]) };
    assert_eq!(answer(&metric, &pods("yy"), 2), Err(MetricError::NoMetrics), "all unready");
}

#[test]
fn single_values_give_the_documented_replicas() {
    let object = |value| Metric::Object { target: 100, value };
    let external = |value| Metric::ExternalAverage { target: 100, value };
    let fleet = pods("rrdp");
    for (what, metric, current, expected) in [
        ("object: ready pods count though they are deleted", object(Some(200)), 3, Ok(6)),
        ("object within the tolerance", object(Some(105)), 3, Ok(3)),
        ("object falls", object(Some(40)), 3, Ok(2)),
        ("object unknown", object(None), 3, Err(MetricError::NoMetrics)),
        ("external per replica", external(Some(730)), 3, Ok(8)),
        ("external within the tolerance", external(Some(320)), 3, Ok(3)),
        ("external unknown", external(None), 3, Err(MetricError::NoMetrics)),
    ] {
        assert_eq!(answer(&metric, &fleet, current), expected, "{what}");
    }
}

fn hpa(replicas_min: u32, replicas_max: u32) -> Hpa {
    let behavior = Behavior::default();
    Hpa::new(HpaConfig { replicas_min, replicas_max, tolerance: Tolerance::default(), behavior })
}

/// An external metric that asks for exactly this number.
fn asks(replicas: i64) -> Metric {
    Metric::ExternalAverage { target: 1, value: Some(replicas) }
}

#[test]
fn scale_out_adds_at_most_four_pods_or_doubles_in_fifteen_seconds() {
    for (current, asked, expected) in [(1, 100, 5), (3, 100, 7), (4, 100, 8), (5, 100, 10), (50, 100, 100)] {
        let outcome = hpa(1, 1_000).reconcile(&[asks(asked)], &pods("r"), current, 0.0);
        assert_eq!(outcome, HpaOutcome::Scale(expected), "from {current}");
    }
    let mut hpa = hpa(1, 1_000);
    let fleet = pods("r");
    assert_eq!(hpa.reconcile(&[asks(100)], &fleet, 10, 0.0), HpaOutcome::Scale(20));
    assert_eq!(hpa.reconcile(&[asks(100)], &fleet, 20, 10.0), HpaOutcome::Keep, "the period is used up");
    assert_eq!(hpa.reconcile(&[asks(100)], &fleet, 20, 15.0), HpaOutcome::Scale(40));
}

#[test]
fn scale_in_needs_five_minutes_of_lower_recommendations() {
    let mut hpa = hpa(2, 100);
    let fleet = pods("r");
    assert_eq!(hpa.reconcile(&[asks(10)], &fleet, 10, 0.0), HpaOutcome::Keep);
    for pass in 1..20 {
        assert_eq!(hpa.reconcile(&[asks(4)], &fleet, 10, f64::from(15 * pass)), HpaOutcome::Keep);
    }
    assert_eq!(hpa.reconcile(&[asks(4)], &fleet, 10, 300.0), HpaOutcome::Scale(4));
    assert_eq!(hpa.reconcile(&[asks(1)], &fleet, 4, 700.0), HpaOutcome::Scale(2), "the floor");
}

#[test]
fn greatest_metric_wins_and_a_missing_one_forbids_scale_in() {
    let fleet = pods("r");
    let broken = Metric::ExternalAverage { target: 1, value: None };
    let pass = |metrics: &[Metric]| hpa(1, 100).reconcile(metrics, &fleet, 4, 0.0);
    assert_eq!(pass(&[asks(6), asks(8)]), HpaOutcome::Scale(8));
    assert_eq!(pass(&[asks(6), broken.clone()]), HpaOutcome::Scale(6));
    assert_eq!(pass(&[asks(2), broken.clone()]), HpaOutcome::Failed);
    assert_eq!(pass(&[broken]), HpaOutcome::Failed);
}

#[test]
fn metrics_are_ignored_outside_of_floor_and_ceiling() {
    let fleet = pods("r");
    assert_eq!(hpa(5, 100).reconcile(&[asks(50)], &fleet, 2, 0.0), HpaOutcome::Scale(5));
    assert_eq!(hpa(1, 8).reconcile(&[asks(1)], &fleet, 20, 0.0), HpaOutcome::Scale(8));
    assert_eq!(hpa(1, 8).reconcile(&[asks(1)], &fleet, 0, 0.0), HpaOutcome::Keep, "zero turns it off");
    assert_eq!(hpa(1, 8).reconcile(&[asks(90)], &fleet, 6, 0.0), HpaOutcome::Scale(8));
}
