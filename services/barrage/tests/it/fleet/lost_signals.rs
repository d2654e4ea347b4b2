//! Uplinks that are killed between a change of a room's state and its signal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_client::{Viewer, ViewerConfig};
use barrage_testkit::{NatsServer, Server, wait};
use serde_json::json;

use super::shared_bus::member;

const ROUNDS: u64 = 20;
/// Time after which a signal was lost and published by another uplink.
const SIGNAL_LATE: Duration = Duration::from_secs(2);
/// Longest wait until viewers have the state: a lost signal comes within about five seconds.
const EFFECT_MAX: Duration = Duration::from_secs(20);

/// Changes slow mode until the server is gone.
async fn change_until_killed(server: Arc<Server>, token: String, first: u64) {
    for n in 0.. {
        let id = format!("s{first}-{n}");
        let action = json!({ "type": "slow_mode", "secs": 1 + (first + n * 7) % 3_000 });
        let request = json!({ "id": id, "action": action }).to_string();
        if server.try_post("/v1/rooms/demo/actions", &token, request).await.is_none() {
            return;
        }
    }
}

/// Seconds of slow mode in the stored settings.
async fn stored(server: &Server, admin: &str) -> u64 {
    let rooms = server.admin("GET", "/rooms", admin, &json!({})).await.body;
    let rooms = rooms["rooms"].as_array().unwrap().clone();
    let demo = rooms.iter().find(|room| room["id"] == "demo").unwrap();
    demo["slow_mode_secs"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_have_the_state_after_an_uplink_was_killed_before_its_signal() {
    let nats = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let one = member(&nats, folder.path(), "one", None).await;
    let (moderator, admin) =
        (one.token("mod", "demo", "moderator").await, one.token("boss", "*", "admin").await);
    let config = ViewerConfig::new(format!("http://{}", one.public), "demo".parse().unwrap());
    let mut viewer = Viewer::start(config);
    let mut state = viewer.state();
    let _drained = tokio::spawn(async move { while viewer.next().await.is_some() {} });
    wait::within(EFFECT_MAX, "a state", state.wait_for(|state| state.settings.is_some())).await.unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut behind = 0;
    for round in 0..ROUNDS {
        let other = Arc::new(member(&nats, folder.path(), &format!("other-{round}"), Some(&one)).await);
        let acting: Vec<_> = (0..3)
            .map(|n| {
                tokio::spawn(change_until_killed(Arc::clone(&other), moderator.clone(), round * 100 + n))
            })
            .collect();
        // xorshift: another delay in each round, the same delays in each run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(Duration::from_millis(50 + random % 150)).await;
        other.kill_by_id().await;
        for acting in acting {
            acting.await.unwrap();
        }
        drop(other);
        let killed = Instant::now();
        let known = || {
            let state = state.borrow();
            let settings = state.settings.as_ref().and_then(|settings| settings.value.as_ref());
            settings.map(|settings| u64::from(settings.slow_mode_secs))
        };
        // The last change may reach this process a moment after the kill.
        wait::until_true(EFFECT_MAX, "the stored state", async || {
            known() == Some(stored(&one, &admin).await)
        })
        .await;
        behind += u64::from(killed.elapsed() > SIGNAL_LATE);
    }
    println!("{behind} of {ROUNDS} kills were between a change and its signal");
}
