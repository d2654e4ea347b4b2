//! The controller against a small API server in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(unreachable_pub, missing_docs, reason = "a test's own modules")]

mod fake;
mod real;
mod real_scenario;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use barrage_scaling::FleetPrewarm;
use serde_json::json;

use world::{World, deployment, fleet};

const SCALE: &str = "PATCH deployments/gateway/scale";

#[tokio::test(start_paused = true)]
async fn it_scales_out_by_the_scale_subresource_alone_and_says_why() {
    let mut world = World::new(&[900.0; 4]);
    let mut replica = world.replica("a");
    world.step(&mut replica).await;
    // 3,600 viewers on 1,000 each, one of which may be lost.
    assert_eq!(world.replicas(), 5);
    assert_eq!(world.api.fleet_writes(), [SCALE]);
    let status = world.status();
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(status["recommendation"]["limitingAxis"], "connections");
    assert_eq!((status["viewers"].as_u64(), status["replicas"].as_u64()), (Some(3_600), Some(4)));
    assert!(status["lastScaleTime"].is_string());
    assert_eq!(world.condition("Ready"), ("True".into(), "Deciding".into()));
    assert_eq!(world.condition("CapacityUnverified").0, "False");
    assert!(world.events().contains(&"ScaledUp".to_owned()));
    world.steps(&mut replica, 30).await;
    assert_eq!(world.replicas(), 5, "what was asked for is enough");
    assert_eq!(world.api.fleet_writes(), [""; 0]);
    assert!(world.status().to_string().len() < 8 << 10);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_tried_again_on_what_is_there_then() {
    let mut world = World::new(&[900.0; 4]);
    let mut replica = world.replica("a");
    world.api.state().conflicts = 2;
    world.steps(&mut replica, 2).await;
    assert_eq!(world.replicas(), 4);
    world.step(&mut replica).await;
    assert_eq!(world.replicas(), 5);
    assert_eq!(world.api.fleet_writes(), [SCALE; 3]);
    assert_eq!(world.condition("Ready").0, "True", "that somebody was faster is no failure");
    let metrics = prometheus::TextEncoder::new().encode_to_string(&replica.registry.gather()).unwrap();
    assert!(metrics.contains("errors_total{fleet=\"show\",reason=\"conflict\"} 2\n"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_standby_writes_nothing_takes_over_and_the_old_leader_is_fenced() {
    let mut world = World::new(&[400.0; 6]);
    let (mut old, mut new) = (world.replica("old"), world.replica("new"));
    for _ in 0..4 {
        old.election.tick().await.unwrap();
        new.election.tick().await.unwrap();
        old.controller.pass(world.now).await;
        world.api.state().writes.clear();
        new.controller.pass(world.now).await;
        assert_eq!(world.api.state().writes, [""; 0], "a standby writes nothing at all");
        tokio::time::advance(world::TICK).await;
        world.now += world::TICK;
    }
    assert!(old.fence.is_leader() && !new.fence.is_leader());
    // The old leader stands still; the new one takes the lease within 17 s.
    let mut waited = Duration::ZERO;
    while !new.fence.is_leader() {
        new.election.tick().await.unwrap();
        tokio::time::advance(world::TICK).await;
        waited += world::TICK;
        assert!(waited <= Duration::from_secs(19), "{waited:?}");
    }
    assert!(!old.fence.is_leader(), "it gave up before another could begin");
    world.set_viewers(950.0);
    world.api.state().writes.clear();
    old.controller.pass(world.now).await;
    assert_eq!(world.api.state().writes, [""; 0]);
    new.controller.pass(world.now).await;
    assert_eq!(world.api.fleet_writes(), [SCALE]);
    // One that still believes in its term is stopped by the lease itself.
    world.set_viewers(1_900.0);
    world.api.state().edit(
        "leases",
        "barrage-autoscaler",
        &json!({ "spec": { "holderIdentity": "third",
        "leaseTransitions": 7 } }),
    );
    assert!(new.fence.is_leader());
    world.api.state().writes.clear();
    new.controller.pass(world.now).await;
    assert_eq!(world.api.state().writes, [""; 0]);
    assert_eq!(world.api.state().get("leases", "barrage-autoscaler").unwrap()["spec"]["leaseTransitions"], 7);
}

#[tokio::test(start_paused = true)]
async fn who_resigns_makes_room_at_once() {
    let world = World::new(&[400.0; 2]);
    let (mut old, mut new) = (world.replica("old"), world.replica("new"));
    old.election.tick().await.unwrap();
    new.election.tick().await.unwrap();
    old.election.resign().await;
    new.election.tick().await.unwrap();
    assert!(!old.fence.is_leader() && new.fence.is_leader());
}

#[tokio::test(start_paused = true)]
async fn without_the_api_server_nothing_is_undone_and_afterwards_it_goes_on() {
    let mut world = World::new(&[600.0; 4]);
    let mut replica = world.replica("a");
    world.steps(&mut replica, 3).await;
    world.api.state().down = true;
    world.set_viewers(950.0);
    world.steps(&mut replica, 6).await;
    assert!(!replica.fence.is_leader(), "after 10 s it no longer counts itself the leader");
    world.steps(&mut replica, 10).await;
    assert_eq!(world.replicas(), 4);
    world.api.state().down = false;
    world.step(&mut replica).await;
    assert!(replica.fence.is_leader() && world.replicas() >= 5);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_lacks_something_is_a_condition() {
    let mut world = World::new(&[950.0; 4]);
    world.api.state().forbidden = Some("pods");
    let mut replica = world.replica("a");
    world.steps(&mut replica, 2).await;
    assert_eq!(world.condition("Ready"), ("False".into(), "Failing".into()));
    assert_eq!(world.api.fleet_writes(), [""; 0]);
    world.api.state().forbidden = None;
    world.steps(&mut replica, 2).await;
    assert_eq!((world.condition("Ready").0.as_str(), world.replicas()), ("True", 5));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_deployment_is_told_and_a_new_one_is_looked_after() {
    let mut world = World::new(&[600.0; 4]);
    let mut replica = world.replica("a");
    world.step(&mut replica).await;
    world.api.state().remove("deployments", "gateway");
    world.steps(&mut replica, 3).await;
    assert_eq!(world.condition("Ready"), ("False".into(), "TargetMissing".into()));
    assert_eq!(world.api.fleet_writes(), [""; 0]);
    assert_eq!(world.events().iter().filter(|reason| *reason == "TargetMissing").count(), 1, "told once");
    world.api.state().put("deployments", deployment(4));
    world.set_viewers(950.0);
    world.steps(&mut replica, 2).await;
    assert_eq!(world.condition("Ready").0, "True");
    assert_eq!(world.api.fleet_writes(), [SCALE]);
    let metrics = || prometheus::TextEncoder::new().encode_to_string(&replica.registry.gather()).unwrap();
    assert!(metrics().contains("barrage_autoscaler_gateways{fleet=\"show\",state=\"serving\"} 4"));
    world.api.state().remove("fleetautoscalers", "show");
    replica.controller.pass(world.now).await;
    assert!(!metrics().contains("barrage_autoscaler_gateways{fleet=\"show\""), "its gauges go with it");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_spec_is_a_condition_and_scales_nothing() {
    for (spec, word) in [
        (json!({ "policy": { "panic": { "enter": 0.5 } } }), "panic.enter"),
        (json!({ "policy": { "panick": {} } }), "panick"),
        (json!({ "policy": { "mode": "active" } }), "policy.mode"),
        (json!({ "minReplicas": 50 }), "replicas_max"),
        (json!({ "capacity": { "connections": 0.0 } }), "knee.connections"),
        (json!({ "loads": { "entry": null } }), "loads"),
    ] {
        let mut world = World::new(&[950.0; 4]);
        world.edit_fleet(&spec);
        let mut replica = world.replica("a");
        world.steps(&mut replica, 3).await;
        assert_eq!(world.condition("Ready"), ("False".into(), "InvalidSpec".into()), "{spec}");
        assert!(world.status()["conditions"][0]["message"].as_str().unwrap().contains(word), "{spec}");
        assert_eq!(world.status()["observedGeneration"], 2);
        assert_eq!(world.api.fleet_writes(), [""; 0], "{spec}");
    }
}

/// Viewers that differ, in an order that means nothing.
fn uneven(seed: u64) -> Vec<f64> {
    let mix = |n: u64| (n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed * 977) >> 33) % 300;
    (1..=8).map(|n| (mix(n + seed) * 8 + n) as f64 / 8.0).collect()
}

#[tokio::test(start_paused = true)]
async fn the_smallest_drain_first_and_exactly_they_die() {
    for seed in 0..50 {
        let viewers = uneven(seed);
        let mut world = World::new(&viewers);
        let mut replica = world.replica("a");
        let mut ranked: Vec<(f64, String)> = viewers.iter().copied().zip(world.pods()).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut died: Vec<String> = Vec::new();
        for _ in 0..200 {
            let before = world.pods();
            world.step(&mut replica).await;
            let after: BTreeSet<String> = world.pods().into_iter().collect();
            died.extend(before.into_iter().filter(|pod| !after.contains(pod)));
            let crowd = world.reach.0.lock().unwrap();
            let all: f64 = crowd.gateways.values().map(|gateway| gateway.viewers).sum();
            // At most ten are left when a gateway goes.
            assert!(all > viewers.iter().sum::<f64>() - 10.0 * (died.len() as f64) - 1e-6, "seed {seed}");
        }
        let drained: BTreeSet<String> = world.reach.0.lock().unwrap().drained.iter().cloned().collect();
        let dead: BTreeSet<String> = died.iter().cloned().collect();
        let smallest: BTreeSet<String> =
            ranked.iter().take(died.len()).map(|(_, name)| name.clone()).collect();
        assert!(died.len() >= 3, "seed {seed}: {died:?}");
        assert_eq!((dead.clone(), dead), (drained, smallest), "seed {seed}");
        assert_eq!(world.replicas() as usize, 8 - died.len());
        let events = world.events();
        assert!(events.contains(&"DrainStarted".into()) && events.contains(&"ScaledDown".into()));
        assert!(!events.contains(&"WrongVictim".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cordoned_pod_goes_first_and_a_pinned_one_stays() {
    let mut world = World::new(&[200.0, 10.0, 300.0, 200.0, 200.0, 200.0]);
    let (pinned, cordoned) = (world.pods()[1].clone(), world.pods()[2].clone());
    for (pod, annotation) in [(&pinned, "barrage.dev/pin"), (&cordoned, "barrage.dev/cordon")] {
        let patch = json!({ "metadata": { "annotations": { annotation: "true" } } });
        world.api.state().edit("pods", pod, &patch);
    }
    let mut replica = world.replica("a");
    world.steps(&mut replica, 120).await;
    let crowd = world.reach.0.lock().unwrap();
    assert_eq!(crowd.drained.first(), Some(&cordoned));
    assert!(crowd.drained.len() >= 2 && !crowd.drained.contains(&pinned), "{:?}", crowd.drained);
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_a_node_is_a_condition_and_is_not_asked_for_twice() {
    let mut world = World::new(&[900.0; 4]);
    let mut replica = world.replica("a");
    world.step(&mut replica).await;
    let waiting = world.pods().pop().unwrap();
    let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable" });
    let patch = json!({ "status": { "phase": "Pending", "conditions": [condition] } });
    for _ in 0..60 {
        world.api.state().edit("pods", &waiting, &patch);
        world.cluster();
        world.step(&mut replica).await;
    }
    assert_eq!(world.condition("Unschedulable"), ("True".into(), "NoNode".into()));
    assert_eq!((world.replicas(), world.api.fleet_writes()), (5, vec![SCALE.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn what_it_saw_explains_itself_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(&[900.0; 4]);
    world.edit_fleet(&json!({ "mode": "DryRun" }));
    let mut replica = world.replica("a");
    replica.controller.record(folder.path()).unwrap();
    world.steps(&mut replica, 30).await;
    std::fs::write(folder.path().join("c.toml"), "[knee]\nconnections = 1000\njoins_per_s = 50\n").unwrap();
    std::fs::write(folder.path().join("p.toml"), "[reserve]\nreplicas = 1\n").unwrap();
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_barrage-autoscaler"));
        let output = command.current_dir(folder.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let explained = run(&["explain", "--log", "show.jsonl", "--capacity", "c.toml", "--config", "p.toml"]);
    assert!(explained.contains("5 gateways asked for; 4 serve"), "{explained}");
    let compared = run(&[
        "compare",
        "--log",
        "show.jsonl",
        "--capacity",
        "c.toml",
        "--config",
        "p.toml",
        "--since",
        "1min",
    ]);
    assert!(compared.contains("It asked for more than ran during 58 s"), "{compared}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_not_ready_blocks_scale_in() {
    let mut world = World::new(&[100.0; 8]);
    let sick = world.pods()[3].clone();
    let mut replica = world.replica("a");
    world.step(&mut replica).await;
    world.api.state().set_ready(&sick, false);
    world.steps(&mut replica, 100).await;
    assert_eq!((world.replicas(), world.api.fleet_writes()), (8, vec![]));
    assert!(world.status()["recommendation"]["constraintsApplied"].to_string().contains("not_ready"));
    world.api.state().set_ready(&sick, true);
    world.steps(&mut replica, 100).await;
    assert_eq!(world.replicas(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_under_way_is_not_begun_again_by_the_next_leader() {
    let mut world = World::new(&[100.0; 8]);
    let mut replica = world.replica("a");
    while world.replicas() == 8 {
        world.step(&mut replica).await;
        // From the patch on nothing deletes the pods.
        let lower = world.replicas() < 8;
        world.api.state().stopped = lower;
    }
    let (asked, pods) = (world.replicas(), world.pods().len());
    assert!(pods > usize::try_from(asked).unwrap());
    replica.election.resign().await;
    let mut next = world.replica("b");
    world.steps(&mut next, 100).await;
    assert!(next.fence.is_leader());
    let standing = world.replicas();
    assert!(standing <= asked && world.pods().len() == pods);
    world.api.state().stopped = false;
    world.steps(&mut next, 100).await;
    let drained: BTreeSet<String> = world.reach.0.lock().unwrap().drained.iter().cloned().collect();
    assert!(world.pods().iter().all(|pod| !drained.contains(pod)), "whoever drained is gone");
    assert_eq!((world.replicas(), world.pods().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn somebody_who_dies_in_a_victims_place_is_told() {
    let mut world = World::new(&[500.0, 10.0, 500.0, 500.0, 20.0, 500.0]);
    world.api.state().careless = true;
    let mut replica = world.replica("a");
    let before: BTreeSet<String> = world.pods().into_iter().collect();
    world.steps(&mut replica, 100).await;
    let after: BTreeSet<String> = world.pods().into_iter().collect();
    let drained: BTreeSet<String> = world.reach.0.lock().unwrap().drained.iter().cloned().collect();
    let wrong = before.difference(&after).filter(|pod| !drained.contains(*pod)).count();
    assert!(wrong > 0 && world.events().contains(&"WrongVictim".to_owned()));
    let text = prometheus::TextEncoder::new().encode_to_string(&replica.registry.gather()).unwrap();
    let line = format!("barrage_autoscaler_wrong_victims_total{{fleet=\"show\"}} {wrong}\n");
    assert!(text.contains(&line), "{wrong}: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_second_autoscaler_is_a_conflict_and_nothing_is_written() {
    let hpa = json!({ "metadata": { "name": "old" }, "spec": { "maxReplicas": 9,
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "gateway" } } });
    let rivals = [("horizontalpodautoscalers", hpa), ("fleetautoscalers", fleet("other", &json!({})))];
    for (plural, rival) in rivals {
        let mut world = World::new(&[950.0; 4]);
        let name = rival["metadata"]["name"].as_str().unwrap().to_owned();
        world.api.state().put(plural, rival);
        let mut replica = world.replica("a");
        world.steps(&mut replica, 3).await;
        assert_eq!(world.condition("Ready"), ("False".into(), "Conflict".into()), "{plural}");
        assert_eq!(world.condition("Conflict").0, "True");
        assert_eq!(world.api.fleet_writes(), [""; 0], "{plural}");
        assert!(world.events().contains(&"ConflictDetected".to_owned()));
        assert_eq!(world.status()["recommendation"]["replicas"], 5, "what it would do is still said");
        world.api.state().remove(plural, &name);
        world.steps(&mut replica, 2).await;
        assert_eq!((world.condition("Conflict").0.as_str(), world.replicas()), ("False", 5), "{plural}");
    }
    let mut world = World::new(&[950.0; 4]);
    let cost =
        json!({ "metadata": { "annotations": { "controller.kubernetes.io/pod-deletion-cost": "7" } } });
    let pod = world.pods()[0].clone();
    world.api.state().edit("pods", &pod, &cost);
    let mut replica = world.replica("a");
    world.steps(&mut replica, 3).await;
    assert_eq!((world.condition("Conflict").0.as_str(), world.replicas()), ("True", 4));
}

#[tokio::test(start_paused = true)]
async fn every_mode_keeps_to_what_it_may_do() {
    for (mode, out, within) in
        [("Active", 5, true), ("DryRun", 4, false), ("Paused", 4, false), ("ScaleOutOnly", 5, false)]
    {
        let mut world = World::new(&[900.0; 4]);
        world.edit_fleet(&json!({ "mode": mode }));
        let mut replica = world.replica("a");
        world.steps(&mut replica, 20).await;
        assert_eq!(world.replicas(), out, "{mode}");
        let would = if mode == "Paused" { 4 } else { 5 };
        assert_eq!(world.status()["recommendation"]["replicas"], would, "{mode}");
        world.set_viewers(10.0);
        world.steps(&mut replica, 150).await;
        assert_eq!(world.replicas() < out, within, "{mode}");
        assert_eq!(!world.reach.0.lock().unwrap().drained.is_empty(), within, "{mode}");
        if out == 4 {
            assert_eq!(world.api.fleet_writes(), [""; 0], "{mode}");
        }
    }
    // A dry run beside another autoscaler is what it is for.
    let mut world = World::new(&[900.0; 4]);
    world.edit_fleet(&json!({ "mode": "DryRun" }));
    world.api.state().put("fleetautoscalers", fleet("acting", &json!({ "mode": "Active" })));
    let mut replica = world.replica("a");
    world.step(&mut replica).await;
    assert_eq!((world.condition("Conflict").0.as_str(), world.replicas()), ("False", 5));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_comes_back_calls_drains_off() {
    let mut world = World::new(&[300.0; 6]);
    let mut replica = world.replica("a");
    while world.reach.0.lock().unwrap().drained.is_empty() {
        world.step(&mut replica).await;
    }
    world.set_viewers(800.0);
    world.step(&mut replica).await;
    let crowd = world.reach.0.lock().unwrap();
    assert_eq!(crowd.cancelled, crowd.drained);
    assert!(crowd.gateways.values().all(|gateway| gateway.drain.is_none()));
    drop(crowd);
    let events = world.events();
    assert!(events.contains(&"PanicEntered".into()) && events.contains(&"DrainCancelled".into()));
    assert_eq!(world.condition("Panic").0, "True");
}

#[tokio::test(start_paused = true)]
async fn a_hot_gateway_gives_viewers_back_until_the_others_are_nearly_as_full() {
    let mut world = World::new(&[990.0, 300.0, 300.0, 300.0]);
    let mut replica = world.replica("a");
    world.steps(&mut replica, 5).await;
    assert!(world.reach.0.lock().unwrap().given_back <= 0.06 * 990.0, "a share for each period");
    world.steps(&mut replica, 295).await;
    let crowd = world.reach.0.lock().unwrap();
    let most = crowd.gateways.values().map(|gateway| gateway.viewers).fold(0.0, f64::max);
    let moved = crowd.given_back;
    // It stops where a gateway is used no more than 0.7.
    assert!((650.0..710.0).contains(&most) && (280.0..450.0).contains(&moved), "{most} {moved}");
}

#[tokio::test(start_paused = true)]
async fn in_panic_entry_is_told_to_send_nobody_to_gateways_over_their_knee() {
    let mut world = World::new(&[1_050.0, 400.0, 400.0]);
    let mut replica = world.replica("a");
    let full: BTreeSet<String> = {
        let crowd = world.reach.0.lock().unwrap();
        let over = crowd.gateways.iter().filter(|(_, gateway)| gateway.viewers > 1_000.0);
        over.map(|(ip, _)| crowd.names[ip].clone()).collect()
    };
    world.step(&mut replica).await;
    assert_eq!(world.condition("Panic").0, "True");
    assert_eq!((&world.reach.0.lock().unwrap().shut, full.len()), (&full, 1));
    // A standby decides the same, and tells nobody.
    world.reach.0.lock().unwrap().shut.clear();
    let mut standby = world.replica("b");
    world.step(&mut standby).await;
    assert!(world.reach.0.lock().unwrap().shut.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_is_announced_finds_its_gateways() {
    let mut world = World::new(&[100.0; 3]);
    let mut replica = world.replica("a");
    let start_secs = world.now.as_secs_f64() + 30.0;
    world.reach.0.lock().unwrap().prewarms =
        vec![FleetPrewarm { name: "show".into(), start_secs, duration_secs: 600.0, viewers: 9_000.0 }];
    world.step(&mut replica).await;
    assert!(world.replicas() >= 10, "{} for 9,300 viewers on 1,000 each", world.replicas());
    assert!(world.status()["recommendation"]["constraintsApplied"].to_string().contains("schedule"));
}

#[tokio::test(start_paused = true)]
async fn without_reports_it_holds_and_says_so() {
    let mut world = World::new(&[100.0; 8]);
    let mut replica = world.replica("a");
    world.steps(&mut replica, 2).await;
    world.reach.0.lock().unwrap().silent = true;
    world.steps(&mut replica, 60).await;
    assert_eq!((world.replicas(), world.api.fleet_writes()), (8, vec![]));
    assert_eq!(world.condition("MetricsAvailable"), ("False".into(), "SourceFailed".into()));
    assert!(world.events().contains(&"MetricsLost".to_owned()));
    world.reach.0.lock().unwrap().silent = false;
    world.steps(&mut replica, 150).await;
    assert_eq!(world.condition("MetricsAvailable").0, "True");
    assert_eq!(world.replicas(), 2);
}
