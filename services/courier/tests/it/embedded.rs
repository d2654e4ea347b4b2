//! One process: a lane in a file, and tables in a file.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{EmbeddedLanes, LaneDraft, Lanes};
use barrage_courier::CourierConfig;
use barrage_protocol::Sequence;
use barrage_store::{InboxStore, SqliteInbox};
use bytes::Bytes;
use tempfile::TempDir;

use crate::faulty::Faulty;
use crate::support::{Kept, Running, append, assert_taken_once, config, events, until_taken};

async fn open() -> (TempDir, Arc<EmbeddedLanes>, Arc<SqliteInbox>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteInbox::open(&folder.path().join("inbox.sqlite")).await.unwrap();
    let taken = store.mark(0).await.unwrap();
    let lanes = EmbeddedLanes::open(&EmbeddedLanes::file(folder.path()), taken, 1 << 20).unwrap();
    (folder, lanes, Arc::new(store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_taken_once_and_those_before_the_shutdown_too() {
    let (_folder, lanes, store) = open().await;
    let courier = Running::start(lanes.clone(), store.clone(), config());
    let last = append(&*lanes, &events(1, 60)).await;
    until_taken(&*store, last).await;
    let more = append(&*lanes, &events(2, 20)).await;
    assert!(courier.stop().await.unwrap().events > 300);
    assert_eq!(store.mark(0).await.unwrap(), more);
    assert_taken_once(&*lanes, &*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_wait_while_the_database_is_away() {
    let (_folder, lanes, store) = open().await;
    let faulty = Faulty::new(store.clone(), 0);
    let courier = Running::start(lanes.clone(), faulty.clone(), config());
    until_taken(&*store, append(&*lanes, &events(3, 10)).await).await;
    let before = store.mark(0).await.unwrap();
    faulty.set_away(true);
    // The lane accepts while the database is away.
    let last = append(&*lanes, &events(4, 30)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(store.mark(0).await.unwrap(), before);
    assert!(courier.counter("barrage_courier_store_failures_total") > 0);
    faulty.set_away(false);
    until_taken(&*store, last).await;
    courier.stop().await.unwrap();
    assert_taken_once(&*lanes, &*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_whose_answer_is_lost_is_taken_once() {
    let (_folder, lanes, store) = open().await;
    let faulty = Faulty::new(store.clone(), 3);
    let few = CourierConfig { batch_events_max: 7, ..config() };
    let courier = Running::start(lanes.clone(), faulty, few);
    until_taken(&*store, append(&*lanes, &events(5, 60)).await).await;
    assert!(courier.counter("barrage_courier_store_failures_total") > 3);
    courier.stop().await.unwrap();
    assert_taken_once(&*lanes, &*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_couriers_and_kills_take_each_event_once() {
    let (folder, lanes, store) = open().await;
    let events = events(6, 120);
    let few = CourierConfig { batch_events_max: 5, ..config() };
    let other = Arc::new(SqliteInbox::open(&folder.path().join("inbox.sqlite")).await.unwrap());
    let steady = Running::start(lanes.clone(), other, few.clone());
    let mut last = Sequence::ZERO;
    for some in events.chunks(events.len() / 20) {
        let courier = Running::start(lanes.clone(), store.clone(), few.clone());
        last = append(&*lanes, some).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        courier.kill().await;
    }
    until_taken(&*store, last).await;
    steady.stop().await.unwrap();
    assert_taken_once(&*lanes, &*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_that_cannot_be_read_is_skipped_also_at_the_end_of_a_batch() {
    let (_folder, lanes, store) = open().await;
    let courier = Running::start(lanes.clone(), store.clone(), config());
    append(&*lanes, &events(7, 10)).await;
    let bad = |body: &'static [u8]| LaneDraft { key: None, fingerprint: 0, body: Bytes::from_static(body) };
    let drafts = vec![bad(b"{}"), bad(b"\xff"), bad(br#"{"event":"sealed"}"#)];
    let last = lanes.append(0, drafts).await.unwrap().last().unwrap().sequence;
    until_taken(&*store, last).await;
    until_taken(&*store, append(&*lanes, &events(8, 10)).await).await;
    assert_eq!(courier.counter("barrage_courier_unreadable_total"), 3);
    courier.stop().await.unwrap();
    assert_taken_once(&*lanes, &*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lane_forgets_old_events_that_the_inbox_has() {
    let (_folder, lanes, store) = open().await;
    let forgetful = CourierConfig { keep_secs: 0, forget_interval_secs: 1, ..config() };
    let courier = Running::start(lanes.clone(), store.clone(), forgetful);
    until_taken(&*store, append(&*lanes, &events(9, 20)).await).await;
    barrage_testkit::wait::until_true(crate::support::WAIT_MAX, "the lane is empty", async || {
        lanes.read(0, Sequence::ZERO, 1).await.unwrap().is_empty()
    })
    .await;
    let last = append(&*lanes, &events(10, 20)).await;
    until_taken(&*store, last).await;
    courier.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sink_gets_each_committed_batch_once_in_the_order_of_the_lane() {
    let (_folder, lanes, store) = open().await;
    let kept = Arc::new(Kept::default());
    let few = CourierConfig { batch_events_max: 7, ..config() };
    let courier = Running::start_with(lanes.clone(), store.clone(), kept.clone(), few);
    let sent = events(6, 20);
    let last = append(&*lanes, &sent).await;
    until_taken(&*store, last).await;
    courier.stop().await.unwrap();
    let batches = kept.take();
    assert!(batches.windows(2).all(|pair| pair[0].up_to < pair[1].up_to));
    assert_eq!(batches.last().map(|batch| (batch.lane, batch.up_to)), Some((0, last)));
    let outcomes: usize = batches.iter().map(|batch| batch.changes.outcomes.len()).sum();
    assert_eq!(outcomes, sent.len());
}
