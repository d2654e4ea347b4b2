use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::placement::pick;

fn knee() -> Knee {
    Knee { connections: 50_000.0, joins_per_s: 1_500.0, egress_bytes_per_s: Some(200e6), ..Knee::default() }
}

fn gateway(number: usize, connections: f64) -> ObservedGateway {
    ObservedGateway {
        id: format!("g{number:02}").into(),
        phase: Phase::Ready,
        age_secs: 5_000.0,
        report: Some(LoadReport {
            connections,
            egress_bytes_per_s: 1_000.0 * connections,
            ..LoadReport::default()
        }),
        report_age_secs: 1.0,
        cordoned: false,
        pinned: false,
        zone: None,
    }
}

fn weigher() -> Weigher {
    Weigher::new(WeightsConfig::default())
}

fn alike(gateways: &[ObservedGateway], knee: &Knee) -> Vec<Candidate> {
    gateways.iter().map(|load| Candidate { load: load.clone(), knee: knee.clone() }).collect()
}

fn tick(weigher: &mut Weigher, gateways: &[ObservedGateway], secs: u64) -> Vec<Weight> {
    weigher.tick(&alike(gateways, &knee()), 1, Duration::from_secs(secs))
}

/// Returns the weights after 60 ticks, one a second, with the same reports.
fn settled(gateways: &[ObservedGateway]) -> Vec<Weight> {
    let mut weigher = weigher();
    (0..60).map(|secs| tick(&mut weigher, gateways, secs)).last().unwrap()
}

proptest! {
    #[test]
    fn weights_are_bounded_and_fall_with_load(
        loads in prop::collection::vec(0.0..70_000.0_f64, 2..20),
        more in 0.0..20_000.0_f64,
    ) {
        let mut gateways: Vec<_> = loads.iter().enumerate().map(|(n, load)| gateway(n, *load)).collect();
        let before = settled(&gateways);
        prop_assert!(before.iter().all(|w| (0.0..=50_000.0).contains(&w.weight)));
        prop_assert!(before.iter().all(|w| (0.0..=1_200.0).contains(&w.seats)));
        prop_assert!(before.iter().any(|w| w.weight > 0.0), "an answer is never empty");
        gateways[0] = gateway(0, loads[0] + more);
        let after = settled(&gateways);
        prop_assert!(after[0].seats <= before[0].seats);
        let all_shut = after.iter().all(|w| w.seats == 0.0);
        prop_assert!(all_shut || after[0].weight <= before[0].weight);
    }
}

#[test]
fn draining_cordoned_unready_and_silent_gateways_have_weight_0() {
    let mut gateways: Vec<_> = (0..9).map(|n| gateway(n, 10_000.0)).collect();
    gateways[0].phase = Phase::Draining;
    gateways[1].cordoned = true;
    gateways[2].phase = Phase::Unready;
    gateways[3].report_age_secs = 7.0;
    gateways[4].report.as_mut().unwrap().connections = f64::NAN;
    let weights = settled(&gateways);
    assert!(weights[..5].iter().all(|w| w.weight == 0.0), "{weights:?}");
    assert!(weights[5..].iter().all(|w| w.weight > 0.0));
}

#[test]
fn gateway_shuts_at_once_and_opens_after_calm_ticks() {
    let mut weigher = weigher();
    let mut at = 0;
    let mut weight = |load: f64| {
        at += 1;
        tick(&mut weigher, &[gateway(0, load), gateway(1, 5_000.0)], at)[0].weight
    };
    (0..5).for_each(|_| assert!(weight(40_000.0) > 0.0));
    (0..5).for_each(|_| {
        weight(52_000.0);
    });
    assert_eq!(weight(52_000.0), 0.0);
    let calm: Vec<bool> = (0..30).map(|_| weight(42_000.0) > 0.0).collect();
    let opened = calm.iter().position(|open| *open).unwrap();
    assert!(opened >= 3 && calm[opened..].iter().all(|open| *open), "{calm:?}");
}

#[test]
fn factor_lapses_at_its_time() {
    let mut weigher = weigher();
    let gateways = [gateway(0, 1_000.0), gateway(1, 1_000.0)];
    let mut at = |secs| tick(&mut weigher, &gateways, secs)[0].weight;
    at(0);
    let full = at(60);
    weigher.advise(&gateways[0].id, 0.0, Duration::from_secs(90));
    let mut at = |secs| tick(&mut weigher, &gateways, secs)[0].weight;
    assert_eq!((at(61), at(89)), (0.0, 0.0));
    assert_eq!(at(90), full);
}

#[test]
fn blind_weights_are_flattened_and_own_grants_still_count() {
    let mut weigher = weigher();
    let mut gateways: Vec<_> = (0..4).map(|n| gateway(n, 10_000.0 * n as f64)).collect();
    (0..60).for_each(|secs| drop(tick(&mut weigher, &gateways, secs)));
    let spread = |w: &[Weight]| w[0].weight / w[3].weight;
    let seen = spread(&tick(&mut weigher, &gateways, 60));
    gateways.iter_mut().for_each(|gateway| gateway.report_age_secs = 20.0);
    assert!(!weigher.is_blind());
    let blind = tick(&mut weigher, &gateways, 80);
    assert!(weigher.is_blind());
    assert!(spread(&blind) < seen && blind.iter().all(|w| w.weight > 0.0));
    weigher.granted(&gateways[0].id, 50_000.0, Duration::from_secs(80));
    assert_eq!(tick(&mut weigher, &gateways, 81)[0].seats, 0.0);
}

#[test]
fn each_gateway_is_weighed_by_its_own_knee() {
    let small = Knee { connections: 10_000.0, joins_per_s: 300.0, ..knee() };
    let load = |number, connections| ObservedGateway {
        report: Some(LoadReport { connections, ..LoadReport::default() }),
        ..gateway(number, connections)
    };
    let half = [
        Candidate { load: load(0, 25_000.0), knee: knee() },
        Candidate { load: load(1, 5_000.0), knee: small.clone() },
    ];
    let mut weigher = weigher();
    let weights = (0..60).map(|secs| weigher.tick(&half, 1, Duration::from_secs(secs))).last().unwrap();
    // Both are half full: the first has five times the slots, and gets five times the joins.
    assert!((weights[0].weight / weights[1].weight - 5.0).abs() < 1e-6, "{weights:?}");
    assert!((weights[0].room / 24_000.0 - 1.0).abs() < 1e-3, "{weights:?}");
    assert!((weights[1].room / 4_800.0 - 1.0).abs() < 1e-3, "{weights:?}");
    assert_eq!((weights[0].seats, weights[1].seats), (1_200.0, 240.0));
    weigher.granted(&half[1].load.id, 4_900.0, Duration::from_secs(60));
    let weights = weigher.tick(&half, 1, Duration::from_secs(60));
    assert!(weights[0].room > 20_000.0 && weights[1].room == 0.0 && weights[1].weight == 0.0, "{weights:?}");
}

#[test]
fn ticket_holder_counts_until_a_report_includes_it() {
    let mut weigher = weigher();
    let gateways = [gateway(0, 0.0)];
    tick(&mut weigher, &gateways, 1);
    let moment = Duration::from_secs(30);
    (0..3).for_each(|_| weigher.granted(&gateways[0].id, 10_000.0, moment));
    // The reports are a second old.
    for (secs, room) in [(2, 19_000.0), (30, 19_000.0), (31, 19_000.0), (32, 49_000.0)] {
        assert!((tick(&mut weigher, &gateways, secs)[0].room - room).abs() < 50.0, "at {secs}");
    }
}

#[test]
fn idle_process_does_not_raise_the_cost_of_its_few_viewers() {
    let knee = Knee { memory_bytes: Some(10e9), ..knee() };
    let mut load = gateway(0, 1.0);
    load.report.as_mut().unwrap().memory_bytes = 200e6;
    let weights = weigher().tick(&alike(&[load], &knee), 1, Duration::ZERO);
    assert!(weights[0].room > 20_000.0, "{weights:?}");
}

/// Four entry replicas, joins at a third of the knees of twenty gateways, and reports of a given
/// age. Returns the greatest joins of a gateway in a second divided by its knee, and the
/// connections of the four new gateways after a minute divided by the mean.
fn storm(report_age: usize) -> (f64, f64) {
    const GATEWAYS: usize = 20;
    let config = WeightsConfig { report_secs: report_age as f64, ..WeightsConfig::default() };
    let knee = Knee { connections: 12_500.0, joins_per_s: 375.0, ..Knee::default() };
    let mut rng = StdRng::seed_from_u64(11);
    let mut entries: Vec<Weigher> = (0..4).map(|_| Weigher::new(config.clone())).collect();
    let mut connections = [5_000.0; GATEWAYS];
    connections[..4].fill(0.0);
    let mut reports = vec![connections];
    let mut peak: f64 = 0.0;
    for second in 0..60_u64 {
        let now = Duration::from_secs(second);
        let reported = reports[reports.len().saturating_sub(report_age)];
        let seen: Vec<ObservedGateway> = (0..GATEWAYS)
            .map(|n| ObservedGateway {
                age_secs: if n < 4 { 20.0 + second as f64 } else { 5_000.0 },
                report_age_secs: report_age.min(second as usize) as f64,
                ..gateway(n, reported[n])
            })
            .collect();
        let mut joined = [0.0; GATEWAYS];
        for entry in &mut entries {
            let weights = entry.tick(&alike(&seen, &knee), 4, now);
            let mut seats: Vec<f64> = weights.iter().map(|weight| weight.seats).collect();
            let shares: Vec<f64> = weights.iter().map(|weight| weight.weight).collect();
            for _ in 0..500 {
                let ranked = pick(&shares, 3, || rng.random::<f64>());
                let Some(first) = ranked.into_iter().find(|n| seats[*n] >= 1.0) else { continue };
                seats[first] -= 1.0;
                joined[first] += 1.0;
                entry.granted(&seen[first].id, 1.0, now);
            }
        }
        for (sum, joins) in connections.iter_mut().zip(joined) {
            *sum += joins;
            peak = peak.max(joins);
        }
        reports.push(connections);
    }
    let mean = connections.iter().sum::<f64>() / GATEWAYS as f64;
    (peak / knee.joins_per_s, connections[..4].iter().sum::<f64>() / 4.0 / mean)
}

#[test]
fn joins_stay_within_the_knee_and_new_gateways_fill() {
    for report_age in [1, 5, 10] {
        let (peak, filled) = storm(report_age);
        assert!(peak <= 1.0, "reports of {report_age} s: {peak} of the join knee");
        assert!(filled >= 0.9, "reports of {report_age} s: new gateways at {filled} of the mean");
    }
}
