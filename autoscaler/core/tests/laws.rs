//! Laws of the decision, for arbitrary input.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use barrage_scaling::{
    Constraint, Decision, EntryLoad, Knee, LoadReport, Memory, Mode, Observation, ObservedGateway, Phase,
    PolicyConfig, Schedule, decide,
};
use proptest::prelude::*;

fn knee() -> Knee {
    Knee { connections: 1_000.0, joins_per_s: 50.0, egress_bytes_per_s: Some(1e6), ..Knee::default() }
}

fn report(viewers: f64) -> LoadReport {
    LoadReport { connections: viewers, egress_bytes_per_s: 100.0 * viewers, ..LoadReport::default() }
}

fn gateway(number: usize, viewers: f64) -> ObservedGateway {
    ObservedGateway {
        id: format!("g{number:03}").into(),
        phase: Phase::Ready,
        age_secs: 5_000.0,
        report: Some(report(viewers)),
        report_age_secs: 1.0,
        cordoned: false,
        pinned: false,
        zone: None,
    }
}

fn fleet(viewers: &[f64]) -> Observation {
    let gateways: Vec<ObservedGateway> =
        viewers.iter().enumerate().map(|(number, viewers)| gateway(number, *viewers)).collect();
    Observation {
        replicas: u32::try_from(gateways.len()).unwrap(),
        gateways,
        entry: Some(EntryLoad::default()),
        ..Observation::default()
    }
}

/// A policy with room: one gateway may fail.
fn cautious() -> PolicyConfig {
    let mut policy = PolicyConfig { target_utilization: 0.9, ..PolicyConfig::default() };
    policy.reserve.replicas = 1;
    policy.scale_in.window_secs = 90.0;
    policy.scale_in.margin_percent = 2.0;
    policy.drain.spread_secs = 60.0;
    policy
}

/// Decides every two seconds over a time without changes.
fn settle(policy: &PolicyConfig, memory: &mut Memory, seen: &Observation, from: u32, to: u32) -> Decision {
    let at = |secs: u32| Observation { at_secs: f64::from(secs), ..seen.clone() };
    let decisions = (from..=to).step_by(2).map(|secs| decide(policy, &knee(), memory, &at(secs)));
    decisions.last().unwrap()
}

fn any_phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        4 => Just(Phase::Ready),
        1 => Just(Phase::Draining),
        1 => Just(Phase::Starting),
        1 => Just(Phase::Unready),
        1 => Just(Phase::Ending),
    ]
}

fn any_figure() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.0..1_500.0_f64,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-1.0),
        1 => Just(1e300),
    ]
}

prop_compose! {
    fn any_gateway()(
        number in 0_usize..30,
        phase in any_phase(),
        connections in any_figure(),
        joins_per_s in any_figure(),
        age in any_figure(),
        report_age_secs in prop_oneof![6 => Just(1.0), 1 => any_figure()],
        reports in prop::bool::weighted(0.9),
        cordoned in prop::bool::weighted(0.1),
    ) -> ObservedGateway {
        let report = LoadReport { connections, joins_per_s, ..LoadReport::default() };
        ObservedGateway {
            phase, report_age_secs, cordoned, age_secs: age, report: reports.then_some(report),
            ..gateway(number, 0.0)
        }
    }
}

prop_compose! {
    fn any_observation()(
        gateways in prop::collection::vec(any_gateway(), 0..25),
        replicas in 0_u32..40,
        entry in prop::option::weighted(0.8, (any_figure(), any_figure())),
        rollout in prop::bool::weighted(0.1),
        step in prop_oneof![8 => Just(2.0), 1 => Just(-5.0), 1 => 0.0..400.0_f64],
    ) -> (Observation, f64) {
        let mut gateways = gateways;
        gateways.sort_by(|a, b| a.id.cmp(&b.id));
        gateways.dedup_by(|a, b| a.id == b.id);
        let entry = entry.map(|(waiting, granted_per_s)| EntryLoad { waiting, granted_per_s });
        (Observation { gateways, replicas, entry, rollout, ..Observation::default() }, step)
    }
}

fn is_missing(seen: &Observation) -> bool {
    let entry = seen.entry.is_none_or(|e| !e.waiting.is_finite() || !e.granted_per_s.is_finite());
    let silent = seen.gateways.iter().any(|gateway| {
        matches!(gateway.phase, Phase::Ready | Phase::Draining)
            && (!(0.0..=6.0).contains(&gateway.report_age_secs)
                || gateway.report.as_ref().is_none_or(|report| !report.is_sane(&knee())))
    });
    entry || silent
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn floor_ceiling_and_no_scale_in_on_doubt(
        seen in prop::collection::vec(any_observation(), 1..60),
        floor in 1_u32..6,
        room in 0_u32..20,
    ) {
        let policy = PolicyConfig {
            replicas_min: floor, replicas_max: floor + room, ..PolicyConfig::default()
        };
        let mut memory = Memory::default();
        let mut now: f64 = 1_000.0;
        for (seen, step) in seen {
            now = (now + step).max(0.0);
            let seen = Observation { at_secs: now, ..seen };
            let decision = decide(&policy, &knee(), &mut memory, &seen);
            let reason = &decision.reason;
            prop_assert!((policy.replicas_min..=policy.replicas_max).contains(&reason.wanted));
            prop_assert!(decision.replicas <= policy.replicas_max.max(seen.replicas));
            prop_assert!(decision.replicas >= policy.replicas_min.min(seen.replicas));
            let goes_in = !decision.drain.is_empty() || !decision.remove.is_empty();
            prop_assert!(goes_in || decision.replicas >= seen.replicas);
            prop_assert!(!(goes_in && (is_missing(&seen) || reason.panic || seen.rollout)));
            let removed = u32::try_from(decision.remove.len()).unwrap();
            prop_assert!(removed == 0 || decision.replicas == seen.replicas - removed);
            for gone in &decision.remove {
                let gateway = seen.gateways.iter().find(|gateway| gateway.id == *gone);
                prop_assert!(gateway.is_some_and(|gateway| gateway.phase == Phase::Draining));
            }
            prop_assert!(decision.moves.iter().all(|one| one.viewers_per_s.is_finite() && one.viewers_per_s >= 0.0));
        }
    }

    #[test]
    fn moving_viewers_between_states_never_lowers_demand(
        viewers in prop::collection::vec(0.0..1_200.0_f64, 2..20),
        share in 0.0..1.0_f64,
        to in 0_usize..3,
    ) {
        let before = fleet(&viewers);
        let mut after = before.clone();
        let moved = match to {
            0 => { after.gateways[0].phase = Phase::Draining; 0.0 }
            1 => { after.gateways[0].phase = Phase::Unready; 0.0 }
            _ => share * viewers[0],
        };
        after.gateways[0].report = Some(report(viewers[0] - moved));
        after.entry = Some(EntryLoad { waiting: moved, granted_per_s: 0.0 });
        let policy = PolicyConfig::default();
        let decide = |seen| decide(&policy, &knee(), &mut Memory::default(), seen).reason;
        let (before, after) = (decide(&before), decide(&after));
        prop_assert!(after.demand.viewers >= before.demand.viewers * (1.0 - 1e-9));
        prop_assert!(after.wanted >= before.wanted, "{before:?} {after:?}");
    }

    #[test]
    fn equal_inputs_give_equal_decisions(seen in prop::collection::vec(any_observation(), 1..20)) {
        let run = || {
            let mut memory = Memory::default();
            let tick = |(n, (seen, _)): (usize, &(Observation, f64))| {
                let seen = Observation { at_secs: 2.0 * n as f64, ..seen.clone() };
                format!("{:?}", decide(&PolicyConfig::default(), &knee(), &mut memory, &seen))
            };
            seen.iter().enumerate().map(tick).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn most_loaded_axis_decides() {
    let mut seen = fleet(&[500.0; 4]);
    let policy = cautious();
    let first = decide(&policy, &knee(), &mut Memory::default(), &seen);
    assert_eq!((first.reason.need.limiting.label(), first.replicas), ("connections", 4));
    for gateway in &mut seen.gateways {
        gateway.report.as_mut().unwrap().egress_bytes_per_s = 2.5e6;
    }
    let hot = decide(&policy, &knee(), &mut Memory::default(), &seen);
    assert_eq!(hot.reason.need.limiting.label(), "egress");
    // 10 MB/s over 0.9 MB/s each.
    assert_eq!(hot.replicas, 12);
}

#[test]
fn scale_in_waits_for_the_window_then_removes_exactly_the_smallest() {
    let policy = PolicyConfig { replicas_min: 2, ..cautious() };
    let mut memory = Memory::default();
    let mut seen = fleet(&[90.0, 300.0, 20.0, 310.0, 305.0, 50.0, 320.0, 330.0]);
    let early = settle(&policy, &mut memory, &seen, 0, 84);
    assert!(early.drain.is_empty() && early.reason.constraints.contains(&Constraint::Settling));
    let mut drained = Vec::new();
    for secs in (86..200).step_by(2) {
        seen.at_secs = f64::from(secs);
        let decision = decide(&policy, &knee(), &mut memory, &seen);
        for id in &decision.drain {
            let gateway = seen.gateways.iter_mut().find(|gateway| gateway.id == *id).unwrap();
            gateway.phase = Phase::Draining;
            drained.push(gateway.connections());
        }
        assert!(decision.remove.is_empty(), "the viewers have not moved yet");
    }
    // 1,725 viewers need two gateways at 0.9 and three when one is lost.
    assert_eq!(drained[..3], [20.0, 50.0, 90.0]);
    assert_eq!(drained.len(), 5);
    let small: Vec<_> =
        seen.gateways.iter().filter(|g| g.connections() < 100.0).map(|g| g.id.clone()).collect();
    for gateway in seen.gateways.iter_mut().filter(|gateway| small.contains(&gateway.id)) {
        gateway.report = Some(report(0.0));
    }
    seen.gateways.push(ObservedGateway { phase: Phase::Unready, ..gateway(99, 0.0) });
    seen.at_secs = 202.0;
    let blocked = decide(&policy, &knee(), &mut memory, &seen);
    assert!(blocked.remove.is_empty() && blocked.reason.constraints.contains(&Constraint::NotReady));
    seen.gateways.pop();
    seen.at_secs = 204.0;
    let gone = decide(&policy, &knee(), &mut memory, &seen);
    assert_eq!((gone.remove, gone.replicas), (small, 5));
}

#[test]
fn returning_viewers_cancel_drains_before_gateways_are_created() {
    let policy = cautious();
    let mut memory = Memory::default();
    let mut seen = fleet(&[200.0; 6]);
    let draining = settle(&policy, &mut memory, &seen, 0, 86).drain;
    assert!(!draining.is_empty());
    for gateway in seen.gateways.iter_mut().filter(|gateway| draining.contains(&gateway.id)) {
        gateway.phase = Phase::Draining;
    }
    for gateway in &mut seen.gateways {
        gateway.report = Some(report(800.0));
    }
    seen.at_secs = 88.0;
    let back = decide(&policy, &knee(), &mut memory, &seen);
    assert!(back.reason.panic);
    assert_eq!(back.undrain, draining);
    assert!(back.remove.is_empty() && back.replicas > 6);
}

#[test]
fn blind_fleet_stays_adds_grants_and_falls_back_after_the_limit() {
    let mut policy = cautious();
    policy.missing.fallback_replicas = 30;
    let mut memory = Memory::default();
    let mut seen = fleet(&[600.0; 10]);
    settle(&policy, &mut memory, &seen, 0, 200);
    seen.gateways.iter_mut().for_each(|gateway| gateway.report_age_secs = 20.0);
    seen.entry = Some(EntryLoad { waiting: 0.0, granted_per_s: 40.0 });
    let blind = settle(&policy, &mut memory, &seen, 202, 302);
    assert!(blind.reason.constraints.contains(&Constraint::Blind));
    assert!((9_500.0..10_100.0).contains(&blind.reason.demand.viewers), "{}", blind.reason.demand.viewers);
    assert!(blind.replicas >= 11 && blind.drain.is_empty());
    let long = settle(&policy, &mut memory, &seen, 304, 504);
    assert!(long.reason.constraints.contains(&Constraint::Fallback));
    assert!(long.replicas >= 30);
}

#[test]
fn silent_gateway_is_replaced_and_forbids_scale_in() {
    let policy = cautious();
    let mut memory = Memory::default();
    let mut seen = fleet(&[800.0; 6]);
    assert_eq!(settle(&policy, &mut memory, &seen, 0, 200).replicas, 6);
    seen.gateways[0].report_age_secs = 10.0;
    let decision = settle(&policy, &mut memory, &seen, 202, 202);
    assert_eq!(decision.replicas, 7, "the viewers of a silent gateway are demand, and its capacity is not");
    let mut idle = fleet(&[10.0; 6]);
    idle.gateways[0].report = Some(LoadReport { connections: f64::NAN, ..LoadReport::default() });
    let held = settle(&policy, &mut Memory::default(), &idle, 0, 1_000);
    assert!(held.drain.is_empty() && held.reason.constraints.contains(&Constraint::MissingReports));
}

#[test]
fn schedule_scales_out_before_its_start() {
    let show = Schedule {
        name: "show".into(),
        start_secs: 1_000.0,
        duration_secs: 600.0,
        every_secs: 0.0,
        viewers: 9_000.0,
        replicas_min: 0,
    };
    let policy = PolicyConfig { schedules: vec![show], ..cautious() };
    let seen = fleet(&[100.0; 2]);
    let at = |secs| {
        decide(&policy, &knee(), &mut Memory::default(), &Observation { at_secs: secs, ..seen.clone() })
    };
    assert_eq!(at(800.0).replicas, 2);
    let lead = at(900.0);
    assert_eq!((lead.replicas, lead.reason.constraints[0]), (10, Constraint::Schedule));
    assert_eq!(at(1_700.0).replicas, 2);
}

#[test]
fn modes_forbid_their_actions_and_dry_run_decides_like_active() {
    let with = |mode| PolicyConfig { mode, ..cautious() };
    let busy = fleet(&[2_000.0; 3]);
    let idle = fleet(&[10.0; 8]);
    let run = |mode, seen: &Observation| settle(&with(mode), &mut Memory::default(), seen, 0, 400);
    assert_eq!(run(Mode::Paused, &busy).replicas, 3);
    assert!(run(Mode::Paused, &idle).drain.is_empty());
    assert!(run(Mode::ScaleOutOnly, &busy).replicas > 3);
    assert!(run(Mode::ScaleOutOnly, &idle).drain.is_empty());
    assert_eq!(run(Mode::DryRun, &busy), run(Mode::Active, &busy));
}

#[test]
fn explanation_names_the_axis_and_every_constraint() {
    let policy = PolicyConfig { replicas_max: 4, ..cautious() };
    let decision = decide(&policy, &knee(), &mut Memory::default(), &fleet(&[3_000.0; 3]));
    let text = barrage_scaling::explain(&decision);
    assert!(text.contains("connections  asks for") && text.contains("<- decides"), "{text}");
    assert!(!decision.reason.constraints.is_empty());
    for constraint in &decision.reason.constraints {
        assert!(text.contains(constraint.sentence()), "{text}");
    }
}

#[test]
fn observation_round_trips_through_its_log() {
    let seen = fleet(&[1.0, 2.5]);
    let line = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<Observation>(&line).unwrap(), seen);
    assert!(serde_json::from_str::<Observation>(&line.replace("replicas", "pods")).is_err());
}

#[test]
fn prewarms_of_rooms_add_up_and_add_to_present_viewers() {
    let room = |start_secs: f64| Schedule {
        name: "room".into(),
        start_secs,
        duration_secs: 600.0,
        every_secs: 0.0,
        viewers: 3_000.0,
        replicas_min: 0,
    };
    let wanted = |policy: &PolicyConfig, prewarms: &[Schedule], at_secs: f64| {
        let seen = Observation { at_secs, prewarms: prewarms.to_vec(), ..fleet(&[500.0; 4]) };
        decide(policy, &knee(), &mut Memory::default(), &seen).reason.wanted
    };
    // The target for a schedule of this many viewers.
    let for_viewers = |viewers: f64| {
        let always = Schedule { start_secs: 0.0, duration_secs: 1e6, viewers, ..room(0.0) };
        wanted(&PolicyConfig { schedules: vec![always], ..cautious() }, &[], 1_000.0)
    };
    let policy = cautious();
    let two = [room(1_000.0), room(1_020.0)];
    let none = wanted(&policy, &[], 990.0);
    assert!(none < for_viewers(6_000.0));
    assert_eq!(wanted(&policy, &two, 500.0), none, "the lead has not begun");
    assert_eq!(wanted(&policy, &two, 990.0), for_viewers(8_000.0), "both on top of 2,000");
    assert_eq!(wanted(&policy, &two, 1_010.0), for_viewers(6_000.0), "one is due, one is to come");
    assert_eq!(wanted(&policy, &two, 1_030.0), for_viewers(6_000.0), "both may be there already");
    assert_eq!(wanted(&policy, &two, 1_610.0), for_viewers(3_000.0), "one is over");
    assert_eq!(wanted(&policy, &two, 1_700.0), none);
}
