//! Partitions of the bus, each with positions of its own.

use std::path::Path;
use std::sync::Arc;

use barrage_protocol::Sequence;
use barrage_store::{ArchiveEntry, Effect, HistoryRange, Store, StoreError};
use sqlx::migrate::Migrator;

use super::{chat, gift, gift_entry, ledger, room, sequences};

const LATEST: HistoryRange = HistoryRange::Latest;

pub(crate) async fn partitions_have_positions_of_their_own(store: Arc<dyn Store>) {
    store.append(0, &[gift_entry("a", 5)]).await.unwrap();
    store.append(2, &[gift_entry("c", 3), gift_entry("c", 9)]).await.unwrap();
    let position = async |partition| store.archived_up_to(partition).await.unwrap().0;
    assert_eq!((position(0).await, position(1).await, position(2).await), (5, 0, 9));
    store.append(2, &[gift_entry("c", 3)]).await.unwrap();
    store.append(63, &[gift_entry("d", 1)]).await.unwrap();
    assert_eq!((position(0).await, position(2).await, position(63).await), (5, 9, 1));
    assert_eq!(store.delete_messages(u64::MAX, 10).await.unwrap(), 4);
    assert_eq!((position(0).await, position(2).await, position(63).await), (5, 9, 1));
}

pub(crate) async fn a_sequence_belongs_to_a_room(store: Arc<dyn Store>) {
    let (a, b) = (room("a"), room("b"));
    assert_eq!(store.append(0, &[gift_entry("a", 1), gift_entry("a", 2)]).await.unwrap(), 2);
    assert_eq!(store.append(1, &[gift_entry("b", 1), gift_entry("b", 2)]).await.unwrap(), 2);
    assert_eq!(store.append(1, &[gift_entry("b", 2), gift_entry("b", 3)]).await.unwrap(), 1);
    assert_eq!(sequences(&store.history(&a, LATEST, 10).await.unwrap()), [1, 2]);
    assert_eq!(sequences(&store.history(&b, LATEST, 10).await.unwrap()), [1, 2, 3]);
    assert_eq!(ledger(&*store, "a").await.len(), 2);
    assert_eq!(ledger(&*store, "b").await.len(), 3);
    assert_eq!(store.append(1, &[gift_entry("c", 2), gift_entry("b", 2)]).await.unwrap(), 1);

    let error = store.append(1, &[chat("b", 2, 9_999)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(Sequence(2))), "{error:?}");
    let recall = ArchiveEntry { effect: Effect::Recall(Sequence(1)), ..chat("b", 4, 1_004) };
    store.append(1, &[recall]).await.unwrap();
    assert_eq!(sequences(&store.history(&b, LATEST, 10).await.unwrap()), [2, 3, 4]);
    assert_eq!(sequences(&store.history(&a, LATEST, 10).await.unwrap()), [1, 2]);
    // The first message of both rooms was accepted at 1,001.
    assert_eq!(store.delete_messages(1_002, 10).await.unwrap(), 2);
    assert_eq!(sequences(&store.history(&a, LATEST, 10).await.unwrap()), [2]);
}

/// Returns the migrations that an older version had.
pub(crate) async fn first_migrations(engine: &str, count: usize) -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let first = tempfile::tempdir().unwrap();
    for file in &files[..count] {
        std::fs::copy(file, first.path().join(file.file_name().unwrap())).unwrap();
    }
    Migrator::new(first.path()).await.unwrap()
}

/// Rows of a version without partitions: two messages of which one is recalled, a gift, and a
/// position beyond them.
pub(crate) const OLD_ROWS: &[&str] = &[
    "INSERT INTO messages (sequence, room, class, sender, recipient, at_ms, stream_started_at_ms, offset_ms,
        recalled, body)
     VALUES (3, 'demo', 'chat', 'ann', NULL, 1003, 1000, 3, (0 = 1), '{}'),
        (5, 'demo', 'chat', 'ann', NULL, 1005, 1000, 5, (0 = 0), '{}')",
    "INSERT INTO gifts
     VALUES (4, 'demo', 'ann', 'gift', 'Rocket', 1, 100, 100, NULL, 2, 1004)",
    "UPDATE archive_position SET sequence = 7",
];

/// Asserts that the old rows belong to the first partition, and that appending continues.
pub(crate) async fn assert_old_rows(store: &dyn Store) {
    let (demo, other) = (room("demo"), room("other"));
    assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence(7));
    assert_eq!(store.archived_up_to(1).await.unwrap(), Sequence::ZERO);
    assert_eq!(sequences(&store.history(&demo, LATEST, 10).await.unwrap()), [3]);
    assert_eq!(store.gifts(&demo, Sequence::ZERO, 10).await.unwrap(), [gift("demo", 4, 1, 100)]);
    assert_eq!(store.append(0, &[gift_entry("demo", 8), gift_entry("other", 8)]).await.unwrap(), 2);
    assert_eq!(store.append(0, &[gift_entry("other", 3)]).await.unwrap(), 1);
    assert_eq!(sequences(&store.history(&demo, LATEST, 10).await.unwrap()), [3, 8]);
    assert_eq!(sequences(&store.history(&other, LATEST, 10).await.unwrap()), [3, 8]);
    assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence(8));
}
