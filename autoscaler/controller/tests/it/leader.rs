//! Leader election, the fence, and outages of the API server.

use std::time::Duration;

use serde_json::json;

use crate::SCALE;
use crate::world::{self, World};

#[tokio::test(start_paused = true)]
async fn standby_writes_nothing_then_takes_over_and_the_old_leader_is_fenced() {
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
    assert!(!old.fence.is_leader(), "the old leader gave up before the new one began");
    world.set_viewers(950.0);
    world.api.state().writes.clear();
    old.controller.pass(world.now).await;
    assert_eq!(world.api.state().writes, [""; 0]);
    new.controller.pass(world.now).await;
    assert_eq!(world.api.fleet_writes(), [SCALE]);
    // A leader that is past its term by the lease, and does not know, is stopped by the lease.
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
async fn resigned_lease_is_taken_at_once() {
    let world = World::new(&[400.0; 2]);
    let (mut old, mut new) = (world.replica("old"), world.replica("new"));
    old.election.tick().await.unwrap();
    new.election.tick().await.unwrap();
    old.election.resign().await;
    new.election.tick().await.unwrap();
    assert!(!old.fence.is_leader() && new.fence.is_leader());
}

#[tokio::test(start_paused = true)]
async fn api_server_outage_changes_nothing_and_scaling_continues_after_it() {
    let mut world = World::new(&[600.0; 4]);
    let mut replica = world.replica("a");
    world.steps(&mut replica, 3).await;
    world.api.state().down = true;
    world.set_viewers(950.0);
    world.steps(&mut replica, 6).await;
    assert!(!replica.fence.is_leader(), "the leader gives up after 10 s");
    world.steps(&mut replica, 10).await;
    assert_eq!(world.replicas(), 4);
    world.api.state().down = false;
    world.step(&mut replica).await;
    assert!(replica.fence.is_leader() && world.replicas() >= 5);
}
