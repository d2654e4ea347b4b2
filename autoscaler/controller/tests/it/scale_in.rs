//! Scale-in: which gateways drain, and what blocks it.

use std::collections::BTreeSet;

use serde_json::json;

use crate::world::World;

/// Different viewers in an arbitrary order.
fn uneven(seed: u64) -> Vec<f64> {
    let mix = |n: u64| (n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed * 977) >> 33) % 300;
    (1..=8).map(|n| (mix(n + seed) * 8 + n) as f64 / 8.0).collect()
}

#[tokio::test(start_paused = true)]
async fn scale_in_deletes_exactly_the_drained_gateways_smallest_first() {
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
            let crowd = world.reach.0.lock();
            let all: f64 = crowd.gateways.values().map(|gateway| gateway.viewers).sum();
            // A gateway has at most ten viewers when it is deleted.
            assert!(all > viewers.iter().sum::<f64>() - 10.0 * (died.len() as f64) - 1e-6, "seed {seed}");
        }
        let drained: BTreeSet<String> = world.reach.0.lock().drained.iter().cloned().collect();
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
async fn cordoned_pod_drains_first_and_pinned_pod_never() {
    let mut world = World::new(&[200.0, 10.0, 300.0, 200.0, 200.0, 200.0]);
    let (pinned, cordoned) = (world.pods()[1].clone(), world.pods()[2].clone());
    for (pod, annotation) in [(&pinned, "barrage.dev/pin"), (&cordoned, "barrage.dev/cordon")] {
        let patch = json!({ "metadata": { "annotations": { annotation: "true" } } });
        world.api.state().edit("pods", pod, &patch);
    }
    let mut replica = world.replica("a");
    world.steps(&mut replica, 120).await;
    let crowd = world.reach.0.lock();
    assert_eq!(crowd.drained.first(), Some(&cordoned));
    assert!(crowd.drained.len() >= 2 && !crowd.drained.contains(&pinned), "{:?}", crowd.drained);
}

#[tokio::test(start_paused = true)]
async fn unready_pod_blocks_scale_in() {
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
async fn next_leader_does_not_repeat_a_removal_under_way() {
    let mut world = World::new(&[100.0; 8]);
    let mut replica = world.replica("a");
    while world.replicas() == 8 {
        world.step(&mut replica).await;
        // After the patch, no controller manager deletes the pods.
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
    let drained: BTreeSet<String> = world.reach.0.lock().drained.iter().cloned().collect();
    assert!(world.pods().iter().all(|pod| !drained.contains(pod)), "every drained gateway is deleted");
    assert_eq!((world.replicas(), world.pods().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn wrong_victim_is_an_event_and_a_metric() {
    let mut world = World::new(&[500.0, 10.0, 500.0, 500.0, 20.0, 500.0]);
    world.api.state().careless = true;
    let mut replica = world.replica("a");
    let before: BTreeSet<String> = world.pods().into_iter().collect();
    world.steps(&mut replica, 100).await;
    let after: BTreeSet<String> = world.pods().into_iter().collect();
    let drained: BTreeSet<String> = world.reach.0.lock().drained.iter().cloned().collect();
    let wrong = before.difference(&after).filter(|pod| !drained.contains(*pod)).count();
    assert!(wrong > 0 && world.events().contains(&"WrongVictim".to_owned()));
    let text = prometheus::TextEncoder::new().encode_to_string(&replica.registry.gather()).unwrap();
    let line = format!("barrage_autoscaler_wrong_victims_total{{fleet=\"show\"}} {wrong}\n");
    assert!(text.contains(&line), "{wrong}: {text}");
}

#[tokio::test(start_paused = true)]
async fn missing_reports_block_scale_in_and_set_a_condition() {
    let mut world = World::new(&[100.0; 8]);
    let mut replica = world.replica("a");
    world.steps(&mut replica, 2).await;
    world.reach.0.lock().silent = true;
    world.steps(&mut replica, 60).await;
    assert_eq!((world.replicas(), world.api.fleet_writes()), (8, vec![]));
    assert_eq!(world.condition("MetricsAvailable"), ("False".into(), "SourceFailed".into()));
    assert!(world.events().contains(&"MetricsLost".to_owned()));
    world.reach.0.lock().silent = false;
    world.steps(&mut replica, 150).await;
    assert_eq!(world.condition("MetricsAvailable").0, "True");
    assert_eq!(world.replicas(), 2);
}
