//! A large room is served in waves: each viewer's chain closes while others join and leave.

use std::time::Duration;

use crate::fleet::{Fleet, Seen, until};
use barrage_gateway::GatewayConfig;
use barrage_protocol::entry::Transport;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wave_sees_every_gift_once_and_in_order() {
    let fleet = Fleet::new().await;
    // Four waves on each of the two shards at the end.
    let config = GatewayConfig { wave_viewers_max: 3, window_ms: 20, ..GatewayConfig::default() };
    let gateway = fleet.start(config).await;
    let (mut viewers, mut sent) = (Vec::new(), Vec::new());
    for step in 0..6_u64 {
        viewers.extend((0..4).map(|_| fleet.viewer(Transport::Ws)));
        // Published while viewers join.
        for n in 0..40 {
            sent.push(fleet.gift(&format!("{step}-{n}")).await);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let here = viewers.len() as u64;
        until(|| gateway.viewers() == here).await;
        if step % 2 == 1 {
            // A viewer of the first wave leaves, and another one takes its place.
            let gone: tokio::task::JoinHandle<Seen> = viewers.remove(0);
            gone.abort();
            until(|| gateway.viewers() == here - 1).await;
        }
    }
    let all_in = sent.len();
    for n in 0..100 {
        sent.push(fleet.gift(&format!("all-{n}")).await);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    sent.push(fleet.gift("last").await);
    for viewer in viewers {
        let Seen { gifts, hellos, breaks } = viewer.await.unwrap();
        assert_eq!((hellos, breaks), (1, 0));
        assert!(gifts.len() >= sent.len() - all_in);
        assert_eq!(gifts, sent[sent.len() - gifts.len()..], "all since its hello, once and in order");
    }
    assert_eq!(gateway.metric("barrage_gateway_repairs_total"), 0, "no viewer missed a message");
    assert_eq!(gateway.settled_error().await, 0);
}
