//! Lanes in JetStream. A position is 64 times the record's place in the stream, and the event's place in it.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::nats::NatsError;
use barrage_bus::{BusConfig, BusError, LaneDraft, Lanes, NatsConfig, NatsLanes};
use barrage_protocol::Sequence;
use barrage_testkit::{NatsServer, wait};

use super::{ENTRIES_MAX, bodies, draft, receipt};
use crate::engine::{metrics, nats_config};

/// Longest wait for a notice of another process.
const WAIT_MAX: Duration = Duration::from_secs(10);

async fn try_open(server: &NatsServer, taken: &[u64], entries_max: u64) -> Result<Arc<NatsLanes>, NatsError> {
    let taken: Vec<_> = taken.iter().copied().map(Sequence).collect();
    let config = NatsConfig { publish_deadline_ms: 2_000, ..nats_config(server) };
    NatsLanes::connect(config, &BusConfig::default(), &metrics(), &taken, entries_max).await
}

async fn open(server: &NatsServer) -> Arc<NatsLanes> {
    try_open(server, &[0, 0], ENTRIES_MAX).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_read_by_other_processes_in_the_order_of_their_positions() {
    let server = NatsServer::start().await;
    let (writer, reader) = (open(&server).await, open(&server).await);
    assert!(bodies(&*reader, 0).await.is_empty());
    let package = vec![draft("a", "one"), draft("b", "two")];
    assert_eq!(writer.append(0, package).await.unwrap(), [receipt(64, false), receipt(65, false)]);
    assert_eq!(writer.append(0, vec![draft("c", "three")]).await.unwrap(), [receipt(128, false)]);
    assert_eq!(writer.append(1, vec![draft("a", "one")]).await.unwrap(), [receipt(64, false)]);
    let mut tail = reader.tail(0);
    let told = tail.wait_for(|tail| *tail >= Sequence(128));
    tokio::time::timeout(WAIT_MAX, told).await.expect("the server tells of records").unwrap();
    let all = [(64, "one".into()), (65, "two".into()), (128, "three".into())];
    assert_eq!(bodies(&*reader, 0).await, all);
    // The inbox may take a part of a package.
    assert_eq!(bodies(&*reader, 64).await, all[1..]);
    assert_eq!(bodies(&*reader, 65).await, all[2..]);
    assert_eq!(reader.read(0, Sequence(65), 1).await.unwrap()[0].sequence, Sequence(128));
    assert!(bodies(&*reader, 128).await.is_empty());
    assert!(reader.append(2, vec![draft("d", "four")]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn append_comes_once_under_its_keys_from_any_process() {
    let server = NatsServer::start().await;
    let (one, other) = (open(&server).await, open(&server).await);
    one.append(0, vec![draft("a", "one")]).await.unwrap();
    assert_eq!(other.append(0, vec![draft("a", "one")]).await.unwrap(), [receipt(64, true)]);
    assert_eq!(other.append(0, vec![draft("a", "other")]).await, Err(BusError::Conflict));
    let package = vec![draft("b", "two"), draft("c", "three")];
    one.append(0, package.clone()).await.unwrap();
    assert_eq!(other.append(0, package).await.unwrap(), [receipt(128, true), receipt(129, true)]);
    let without = LaneDraft { key: None, ..draft("", "read") };
    one.append(0, vec![without.clone()]).await.unwrap();
    assert_eq!(one.append(0, vec![without]).await.unwrap(), [receipt(256, false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_server_keeps_entries_and_a_waiting_append_succeeds() {
    let mut server = NatsServer::start().await;
    let lanes = open(&server).await;
    lanes.append(0, vec![draft("a", "one")]).await.unwrap();
    server.kill();
    let refused = lanes.append(0, vec![draft("b", "two")]).await.unwrap_err();
    assert!(refused.is_retryable(), "{refused:?}");
    let waiting = {
        let lanes = Arc::clone(&lanes);
        tokio::spawn(async move {
            loop {
                match lanes.append(0, vec![draft("c", "three")]).await {
                    Ok(receipts) => return receipts,
                    Err(error) => assert!(error.is_retryable(), "{error:?}"),
                }
            }
        })
    };
    server.restart().await;
    let receipts = tokio::time::timeout(WAIT_MAX, waiting).await.expect("the client connects again").unwrap();
    assert!(!receipts[0].duplicate);
    // The client may have sent the refused append when it was connected again: at most once.
    wait::until_true(WAIT_MAX, "both are read", async || {
        let read = lanes.read(0, Sequence::ZERO, 10).await.unwrap_or_default();
        let bodies: Vec<_> = read.iter().map(|entry| &entry.body[..]).collect();
        bodies == [&b"one"[..], b"three"] || bodies == [&b"one"[..], b"two", b"three"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_lane_refuses_until_records_are_forgotten() {
    let server = NatsServer::start().await;
    let lanes = try_open(&server, &[0], 5).await.unwrap();
    for number in 0..5 {
        lanes.append(0, vec![draft(&number.to_string(), "x")]).await.unwrap();
    }
    let refused = lanes.append(0, vec![draft("more", "x")]).await;
    assert_eq!(refused, Err(BusError::Full("inbox event")));
    assert_eq!(lanes.forget(0, Sequence(3 * 64), 1).await.unwrap(), 0);
    // The record of the position stays.
    assert_eq!(lanes.forget(0, Sequence(3 * 64), u64::MAX).await.unwrap(), 2);
    assert_eq!(bodies(&*lanes, 0).await[0].0, 3 * 64);
    assert_eq!(lanes.append(0, vec![draft("more", "x")]).await.unwrap(), [receipt(6 * 64, false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_never_gives_a_position_that_the_inbox_has_taken() {
    let server = NatsServer::start().await;
    let lanes = try_open(&server, &[64 * 70 + 3], ENTRIES_MAX).await.unwrap();
    assert_eq!(lanes.append(0, vec![draft("a", "one")]).await.unwrap(), [receipt(64 * 71, false)]);
    assert_eq!(bodies(&*lanes, 64 * 70 + 3).await.len(), 1);
    drop(lanes);
    // A restored server that ends before what the inbox has taken.
    let refused = try_open(&server, &[64 * 90], ENTRIES_MAX).await.err().unwrap();
    assert!(refused.to_string().contains("delete the stream"), "{refused}");
    let again = try_open(&server, &[64 * 71], ENTRIES_MAX).await.unwrap();
    assert_eq!(again.append(0, vec![draft("b", "two")]).await.unwrap(), [receipt(64 * 72, false)]);
}
