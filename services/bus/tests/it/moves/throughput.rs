//! What 1, 2 and 4 partitions carry on three servers of this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrage_bus::{BusConfig, Log, NatsBus, NatsConfig};
use barrage_protocol::Class;
use barrage_testkit::NatsServer;
use tokio::task::JoinSet;

use crate::drafts::draft;
use crate::engine::{metrics, nats_config};

const IN_FLIGHT: usize = 256;
const LASTS: Duration = Duration::from_secs(5);

/// Returns the gifts that were accepted a second.
async fn rate(servers: &[NatsServer], partitions: u16, replicas: usize, turn: usize) -> f64 {
    let config = NatsConfig {
        urls: servers.iter().map(|server| server.url().into()).collect(),
        prefix: format!("p{partitions}-{replicas}-{turn}"),
        partitions,
        replicas,
        publish_deadline_ms: 20_000,
        ack_timeout_ms: 5_000,
        start_deadline_ms: 30_000,
        ..nats_config(&servers[0])
    };
    let bus = NatsBus::connect(config, BusConfig::default(), metrics()).await.unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let (began, mut posters) = (barrage_clock::now(), JoinSet::new());
    for poster in 0..IN_FLIGHT {
        let (bus, accepted) = (Arc::clone(&bus), Arc::clone(&accepted));
        posters.spawn(async move {
            let room = format!("room-{poster}");
            for n in 0_u64.. {
                if began.elapsed() > LASTS {
                    return;
                }
                bus.publish(vec![draft(&room, "u", &format!("m{n}"), Class::Gift)]).await.unwrap();
                accepted.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while posters.join_next().await.is_some() {}
    accepted.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of two minutes"]
async fn one_two_and_four_partitions_by_turns() {
    let servers = NatsServer::start_cluster().await;
    for replicas in [1, 3] {
        for turn in 0..3 {
            for partitions in [1, 2, 4] {
                let rate = rate(&servers, partitions, replicas, turn).await;
                println!("replicas {replicas}, turn {turn}, partitions {partitions}: {rate:.0} gifts/s");
            }
        }
    }
}
