//! The lane in a file.

use std::path::Path;
use std::sync::Arc;

use barrage_bus::{
    BusError, EmbeddedLanes, LANE_APPEND_MAX, LANE_BODY_BYTES_MAX, LANE_KEY_BYTES_MAX, LaneDraft, Lanes,
};
use barrage_protocol::Sequence;

use super::{ENTRIES_MAX, bodies, draft, receipt};

fn open_after(folder: &Path, taken: u64) -> Arc<EmbeddedLanes> {
    EmbeddedLanes::open(&EmbeddedLanes::file(folder), Sequence(taken), ENTRIES_MAX).unwrap()
}

#[tokio::test]
async fn entries_are_read_in_the_order_of_their_positions() {
    let folder = tempfile::tempdir().unwrap();
    let lanes = open_after(folder.path(), 0);
    assert_eq!(*lanes.tail(0).borrow(), Sequence::ZERO);
    assert!(bodies(&*lanes, 0).await.is_empty());
    let receipts = lanes.append(0, vec![draft("a", "one"), draft("b", "two")]).await.unwrap();
    assert_eq!(receipts, [receipt(1, false), receipt(2, false)]);
    assert_eq!(*lanes.tail(0).borrow(), Sequence(2));
    lanes.append(0, vec![draft("c", "three")]).await.unwrap();
    assert_eq!(bodies(&*lanes, 0).await, [(1, "one".into()), (2, "two".into()), (3, "three".into())]);
    assert_eq!(bodies(&*lanes, 2).await, [(3, "three".into())]);
    assert_eq!(lanes.read(0, Sequence(0), 2).await.unwrap().len(), 2);
    let entries = lanes.read(0, Sequence::ZERO, 9).await.unwrap();
    assert!(entries.iter().all(|entry| entry.at_ms > 1_700_000_000_000));
    assert!(lanes.append(1, vec![draft("d", "four")]).await.is_err());
}

#[tokio::test]
async fn key_is_one_event_and_a_package_is_appended_whole_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let lanes = open_after(folder.path(), 0);
    lanes.append(0, vec![draft("a", "one")]).await.unwrap();
    assert_eq!(lanes.append(0, vec![draft("a", "one")]).await.unwrap(), [receipt(1, true)]);
    let package = vec![draft("b", "two"), draft("a", "other")];
    assert_eq!(lanes.append(0, package).await, Err(BusError::Conflict));
    let package = vec![draft("b", "two"), draft("b", "other")];
    assert_eq!(lanes.append(0, package).await, Err(BusError::Conflict));
    assert_eq!(bodies(&*lanes, 0).await.len(), 1);
    let package = vec![draft("b", "two"), draft("b", "two"), draft("a", "one")];
    let receipts = lanes.append(0, package).await.unwrap();
    assert_eq!(receipts, [receipt(2, false), receipt(2, true), receipt(1, true)]);
    let without = LaneDraft { key: None, ..draft("", "read") };
    let receipts = lanes.append(0, vec![without.clone(), without]).await.unwrap();
    assert_eq!(receipts, [receipt(3, false), receipt(4, false)]);
}

#[tokio::test]
async fn restart_keeps_entries_keys_and_positions() {
    let folder = tempfile::tempdir().unwrap();
    let lanes = open_after(folder.path(), 0);
    lanes.append(0, vec![draft("a", "one"), draft("b", "two")]).await.unwrap();
    // A killed process leaves the file and its write-ahead log as they are.
    let killed = tempfile::tempdir().unwrap();
    for name in ["lane.sqlite", "lane.sqlite-wal", "lane.mark"] {
        std::fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
    }
    drop(lanes);
    for folder in [folder.path(), killed.path()] {
        let lanes = open_after(folder, 0);
        assert_eq!(*lanes.tail(0).borrow(), Sequence(2));
        assert_eq!(lanes.append(0, vec![draft("b", "two")]).await.unwrap(), [receipt(2, true)]);
        assert_eq!(lanes.append(0, vec![draft("c", "three")]).await.unwrap(), [receipt(3, false)]);
        assert_eq!(bodies(&*lanes, 0).await.len(), 3);
    }
}

#[tokio::test]
async fn lane_is_open_in_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open_after(folder.path(), 0);
    let second = EmbeddedLanes::open(&EmbeddedLanes::file(folder.path()), Sequence::ZERO, 1);
    assert!(second.unwrap_err().to_string().contains("another process"));
}

#[tokio::test]
async fn lost_file_never_gives_a_position_again() {
    let folder = tempfile::tempdir().unwrap();
    let lanes = open_after(folder.path(), 0);
    lanes.append(0, vec![draft("a", "one"), draft("b", "two")]).await.unwrap();
    drop(lanes);
    // The file is gone, and its mark is still there.
    let file = EmbeddedLanes::file(folder.path());
    for name in [file.clone(), file.with_extension("sqlite-wal"), file.with_extension("sqlite-shm")] {
        drop(std::fs::remove_file(name));
    }
    let lanes = open_after(folder.path(), 1);
    assert_eq!(lanes.append(0, vec![draft("c", "three")]).await.unwrap(), [receipt(3, false)]);
    // Everything is gone, and the inbox knows how far it has come.
    let empty = tempfile::tempdir().unwrap();
    let lanes = open_after(empty.path(), 70);
    assert_eq!(*lanes.tail(0).borrow(), Sequence(70));
    assert_eq!(lanes.append(0, vec![draft("c", "three")]).await.unwrap(), [receipt(71, false)]);
    assert_eq!(bodies(&*lanes, 70).await.len(), 1);
}

#[tokio::test]
async fn full_lane_refuses_until_entries_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let lanes = open_after(folder.path(), 0);
    for number in 0..ENTRIES_MAX / 50 {
        let package = (0..50).map(|n| draft(&format!("{number}.{n}"), "x")).collect();
        lanes.append(0, package).await.unwrap();
    }
    let refused = lanes.append(0, vec![draft("more", "x")]).await;
    assert_eq!(refused, Err(BusError::Full("inbox event")));
    // A duplicate needs no room.
    assert_eq!(lanes.append(0, vec![draft("0.0", "x")]).await.unwrap(), [receipt(1, true)]);
    let newest_ms = lanes.read(0, Sequence(ENTRIES_MAX - 1), 1).await.unwrap()[0].at_ms;
    assert_eq!(lanes.forget(0, Sequence(300), 1).await.unwrap(), 0);
    assert_eq!(lanes.forget(0, Sequence(300), newest_ms + 1).await.unwrap(), 300);
    assert_eq!(bodies(&*lanes, 0).await[0].0, 301);
    lanes.append(0, vec![draft("more", "x")]).await.unwrap();
    // A forgotten key is new again: the inbox knows ids for ever.
    assert_eq!(lanes.append(0, vec![draft("0.0", "x")]).await.unwrap(), [receipt(ENTRIES_MAX + 2, false)]);
    // All that is left goes, and positions go on.
    assert_eq!(lanes.forget(0, Sequence::MAX, u64::MAX).await.unwrap(), ENTRIES_MAX - 300 + 2);
    drop(lanes);
    let lanes = open_after(folder.path(), 0);
    assert_eq!(lanes.append(0, vec![draft("next", "x")]).await.unwrap(), [receipt(ENTRIES_MAX + 3, false)]);
}

#[tokio::test]
async fn drafts_over_a_bound_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lanes = open_after(folder.path(), 0);
    let long = draft(&"k".repeat(LANE_KEY_BYTES_MAX + 1), "x");
    let large = draft("a", &"x".repeat(LANE_BODY_BYTES_MAX + 1));
    let many = (0..=LANE_APPEND_MAX).map(|n| draft(&n.to_string(), "x")).collect();
    for drafts in [vec![long], vec![large], many] {
        assert_eq!(lanes.append(0, drafts).await, Err(BusError::TooLarge));
    }
    assert_eq!(lanes.append(0, Vec::new()).await, Ok(Vec::new()));
    let fits = draft(&"k".repeat(LANE_KEY_BYTES_MAX), &"x".repeat(LANE_BODY_BYTES_MAX));
    lanes.append(0, vec![fits]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_at_the_same_time_get_positions_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let lanes = open_after(folder.path(), 0);
    let appending: Vec<_> = (0..200)
        .map(|number| {
            let lanes = Arc::clone(&lanes);
            tokio::spawn(async move {
                let receipts = lanes.append(0, vec![draft(&format!("k{number}"), "x")]).await.unwrap();
                // Who has an answer can read the entry.
                let found = lanes.read(0, Sequence(receipts[0].sequence.0 - 1), 1).await.unwrap();
                assert_eq!(found[0].sequence, receipts[0].sequence);
                receipts[0].sequence.0
            })
        })
        .collect();
    let mut given = Vec::new();
    for task in appending {
        given.push(task.await.unwrap());
    }
    given.sort_unstable();
    assert_eq!(given, (1..=200).collect::<Vec<_>>());
}
