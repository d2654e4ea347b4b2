//! Scale-out, rebalance and panic.

use std::collections::BTreeSet;

use barrage_scaling::FleetPrewarm;
use serde_json::json;

use crate::SCALE;
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn scale_out_writes_only_the_scale_subresource_and_explains_itself() {
    let mut world = World::new(&[900.0; 4]);
    let mut replica = world.replica("a");
    world.step(&mut replica).await;
    // 3,600 viewers need four gateways of 1,000, and one more may fail.
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
    assert_eq!(world.replicas(), 5, "no further gateway is asked for");
    assert_eq!(world.api.fleet_writes(), [""; 0]);
    assert!(world.status().to_string().len() < 8 << 10);
}

#[tokio::test(start_paused = true)]
async fn conflicting_write_is_decided_again_at_the_next_pass() {
    let mut world = World::new(&[900.0; 4]);
    let mut replica = world.replica("a");
    world.api.state().conflicts = 2;
    world.steps(&mut replica, 2).await;
    assert_eq!(world.replicas(), 4);
    world.step(&mut replica).await;
    assert_eq!(world.replicas(), 5);
    assert_eq!(world.api.fleet_writes(), [SCALE; 3]);
    assert_eq!(world.condition("Ready").0, "True", "a conflict is no failure");
    let metrics = prometheus::TextEncoder::new().encode_to_string(&replica.registry.gather()).unwrap();
    assert!(metrics.contains("errors_total{fleet=\"show\",reason=\"conflict\"} 2\n"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn unschedulable_pod_is_a_condition_and_is_not_replaced() {
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
async fn returning_viewers_cancel_drains() {
    let mut world = World::new(&[300.0; 6]);
    let mut replica = world.replica("a");
    while world.reach.0.lock().drained.is_empty() {
        world.step(&mut replica).await;
    }
    world.set_viewers(800.0);
    world.step(&mut replica).await;
    let crowd = world.reach.0.lock();
    assert_eq!(crowd.cancelled, crowd.drained);
    assert!(crowd.gateways.values().all(|gateway| gateway.drain.is_none()));
    drop(crowd);
    let events = world.events();
    assert!(events.contains(&"PanicEntered".into()) && events.contains(&"DrainCancelled".into()));
    assert_eq!(world.condition("Panic").0, "True");
}

#[tokio::test(start_paused = true)]
async fn hot_gateway_gives_viewers_back_until_use_is_at_most_0_7() {
    let mut world = World::new(&[990.0, 300.0, 300.0, 300.0]);
    let mut replica = world.replica("a");
    world.steps(&mut replica, 5).await;
    assert!(world.reach.0.lock().given_back <= 0.06 * 990.0, "one share in each period");
    world.steps(&mut replica, 295).await;
    let crowd = world.reach.0.lock();
    let most = crowd.gateways.values().map(|gateway| gateway.viewers).fold(0.0, f64::max);
    let moved = crowd.given_back;
    // Rebalance ends at a utilisation of 0.7.
    assert!((650.0..710.0).contains(&most) && (280.0..450.0).contains(&moved), "{most} {moved}");
}

#[tokio::test(start_paused = true)]
async fn panic_shuts_gateways_over_their_knee_at_entry() {
    let mut world = World::new(&[1_050.0, 400.0, 400.0]);
    let mut replica = world.replica("a");
    let full: BTreeSet<String> = {
        let crowd = world.reach.0.lock();
        let over = crowd.gateways.iter().filter(|(_, gateway)| gateway.viewers > 1_000.0);
        over.map(|(ip, _)| crowd.names[ip].clone()).collect()
    };
    world.step(&mut replica).await;
    assert_eq!(world.condition("Panic").0, "True");
    assert_eq!((&world.reach.0.lock().shut, full.len()), (&full, 1));
    // A standby makes the same decision and writes nothing.
    world.reach.0.lock().shut.clear();
    let mut standby = world.replica("b");
    world.step(&mut standby).await;
    assert!(world.reach.0.lock().shut.is_empty());
}

#[tokio::test(start_paused = true)]
async fn prewarm_scales_out_before_its_viewers_come() {
    let mut world = World::new(&[100.0; 3]);
    let mut replica = world.replica("a");
    let start_secs = world.now.as_secs_f64() + 30.0;
    world.reach.0.lock().prewarms =
        vec![FleetPrewarm { name: "show".into(), start_secs, duration_secs: 600.0, viewers: 9_000.0 }];
    world.step(&mut replica).await;
    assert!(world.replicas() >= 10, "{} for 9,300 viewers on 1,000 each", world.replicas());
    assert!(world.status()["recommendation"]["constraintsApplied"].to_string().contains("schedule"));
}
