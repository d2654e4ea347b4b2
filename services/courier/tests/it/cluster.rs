//! A cluster: lanes in JetStream, tables in PostgreSQL, both killed.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{BusConfig, BusMetrics, Lanes, NatsConfig, NatsLanes};
use barrage_courier::CourierConfig;
use barrage_protocol::Sequence;
use barrage_store::{InboxStore, PostgresConfig, PostgresInbox};
use barrage_testkit::{NatsServer, PostgresServer};

use crate::support::{Running, append, assert_taken_once, config, draft, events, until_taken};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_nats_and_postgresql_lose_and_double_nothing() {
    let (mut nats, mut postgres) = tokio::join!(NatsServer::start(), PostgresServer::start());
    let tables = PostgresConfig {
        url: postgres.url("postgres").into(),
        acquire_timeout_ms: 1_000,
        call_timeout_ms: 2_000,
        ..PostgresConfig::default()
    };
    let store = Arc::new(PostgresInbox::open(&tables).await.unwrap());
    let metrics = BusMetrics::new(&prometheus::Registry::new()).unwrap();
    let servers = NatsConfig {
        urls: vec![nats.url().into()],
        stream_bytes_max: 64 << 20,
        ack_timeout_ms: 500,
        reconnect_pause_ms_max: 100,
        ..NatsConfig::default()
    };
    let taken = [Sequence::ZERO];
    let lanes = NatsLanes::connect(servers, &BusConfig::default(), &metrics, &taken, 1 << 20).await.unwrap();
    let few = CourierConfig { batch_events_max: 20, ..config() };
    let courier = Running::start(lanes.clone(), store.clone(), few);
    let mut last = append(&*lanes, &events(21, 30)).await;
    until_taken(&*store, last).await;

    // The database is away: letters are accepted and wait.
    postgres.crash();
    last = append(&*lanes, &events(22, 30)).await;
    postgres.restart().await;
    until_taken(&*store, last).await;

    // The lanes are away: letters are refused, and those that were accepted stay.
    let refused = events(23, 1);
    nats.kill();
    assert!(lanes.append(0, vec![draft(&refused[0])]).await.unwrap_err().is_retryable());
    nats.restart().await;
    last = loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let drafts = events(24, 5).iter().map(draft).collect();
        if let Ok(receipts) = lanes.append(0, drafts).await {
            break receipts.last().unwrap().sequence;
        }
    };
    until_taken(&*store, last).await;
    courier.stop().await.unwrap();
    assert_taken_once(&*lanes, &*store).await;
    store.close().await;
}
