//! Specs, modes, rivals, and records of observations.

use serde_json::json;

use crate::SCALE;
use crate::world::{World, deployment, fleet};

#[tokio::test(start_paused = true)]
async fn missing_permission_is_a_condition() {
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
async fn deleted_deployment_is_one_event_and_a_new_one_is_scaled() {
    let mut world = World::new(&[600.0; 4]);
    let mut replica = world.replica("a");
    world.step(&mut replica).await;
    world.api.state().remove("deployments", "gateway");
    world.steps(&mut replica, 3).await;
    assert_eq!(world.condition("Ready"), ("False".into(), "TargetMissing".into()));
    assert_eq!(world.api.fleet_writes(), [""; 0]);
    assert_eq!(
        world.events().iter().filter(|reason| *reason == "TargetMissing").count(),
        1,
        "one event only"
    );
    world.api.state().put("deployments", deployment(4));
    world.set_viewers(950.0);
    world.steps(&mut replica, 2).await;
    assert_eq!(world.condition("Ready").0, "True");
    assert_eq!(world.api.fleet_writes(), [SCALE]);
    let metrics = || prometheus::TextEncoder::new().encode_to_string(&replica.registry.gather()).unwrap();
    assert!(metrics().contains("barrage_autoscaler_gateways{fleet=\"show\",state=\"serving\"} 4"));
    world.api.state().remove("fleetautoscalers", "show");
    replica.controller.pass(world.now).await;
    assert!(
        !metrics().contains("barrage_autoscaler_gateways{fleet=\"show\""),
        "the gauges of a deleted fleet are removed"
    );
}

#[tokio::test(start_paused = true)]
async fn invalid_spec_is_a_condition_and_scales_nothing() {
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

#[tokio::test(start_paused = true)]
async fn second_autoscaler_is_a_conflict_and_blocks_writes() {
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
        assert_eq!(world.status()["recommendation"]["replicas"], 5, "the status still shows the decision");
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
async fn each_mode_does_only_what_it_allows() {
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
        assert_eq!(!world.reach.0.lock().drained.is_empty(), within, "{mode}");
        if out == 4 {
            assert_eq!(world.api.fleet_writes(), [""; 0], "{mode}");
        }
    }
    // Beside another autoscaler, a dry run is no conflict.
    let mut world = World::new(&[900.0; 4]);
    world.edit_fleet(&json!({ "mode": "DryRun" }));
    world.api.state().put("fleetautoscalers", fleet("acting", &json!({ "mode": "Active" })));
    let mut replica = world.replica("a");
    world.step(&mut replica).await;
    assert_eq!((world.condition("Conflict").0.as_str(), world.replicas()), ("False", 5));
}

#[tokio::test(start_paused = true)]
async fn recorded_observations_can_be_explained_and_compared() {
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
