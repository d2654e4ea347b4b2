//! Faults of a SQLite file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barrage_store::{HistoryRange, SqliteConfig, SqliteStore, Store, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::suite::cut::{assert_complete, first_polls};
use crate::suite::partitions::{OLD_ROWS, assert_old_rows, first_migrations};
use crate::suite::{chat, gift_entry, room};

/// Opens an empty store; the folder must outlive it.
pub(crate) async fn open() -> (TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path()).await;
    (folder, Arc::new(store))
}

async fn open_in(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("store.db"), &SqliteConfig::default()).await.unwrap()
}

/// Copies the file and its log as a killed process leaves them, without closing them.
fn copy_as_killed(from: &Path, to: &Path) -> PathBuf {
    std::fs::copy(from.join("store.db"), to.join("store.db")).unwrap();
    let log = to.join("store.db-wal");
    std::fs::copy(from.join("store.db-wal"), &log).unwrap();
    log
}

#[tokio::test]
async fn appended_batches_survive_a_kill() {
    let (folder, store) = open().await;
    let after = tempfile::tempdir().unwrap();
    for batch in 0..5 {
        let entries: Vec<_> = (1..=10).map(|n| gift_entry("demo", batch * 10 + n)).collect();
        store.append(0, &entries).await.unwrap();
        copy_as_killed(folder.path(), after.path());
        let reopened = open_in(after.path()).await;
        assert_eq!(assert_complete(&reopened, 10).await, (batch + 1) * 10);
        reopened.close().await;
    }
}

#[tokio::test]
async fn a_torn_log_keeps_complete_batches_only() {
    let (folder, store) = open().await;
    for batch in 0..5 {
        let entries: Vec<_> = (1..=10).map(|n| gift_entry("demo", batch * 10 + n)).collect();
        store.append(0, &entries).await.unwrap();
    }
    let len = std::fs::metadata(folder.path().join("store.db-wal")).unwrap().len();
    let mut reached = std::collections::BTreeSet::new();
    // Cuts in the last third, where the schema is complete.
    for cut in (0..12).map(|n| len - n * len / 36 - 7 * n) {
        let after = tempfile::tempdir().unwrap();
        let log = copy_as_killed(folder.path(), after.path());
        std::fs::OpenOptions::new().write(true).open(log).unwrap().set_len(cut).unwrap();
        let reopened = open_in(after.path()).await;
        reached.insert(assert_complete(&reopened, 10).await);
    }
    assert!(reached.contains(&50) && reached.len() > 1, "no cut removed a batch: {reached:?}");
}

#[tokio::test]
async fn a_dropped_append_is_stored_completely_or_not_at_all() {
    let (folder, store) = open().await;
    let (mut next, mut dropped, mut done) = (0, 0, 0);
    for round in 0..90 {
        let entries: Vec<_> = (1..=10).map(|n| gift_entry("demo", next + n)).collect();
        match first_polls(store.append(0, &entries), round % 30).await {
            Some(appended) => {
                assert_eq!(appended.unwrap(), 10);
                done += 1;
            }
            None => dropped += 1,
        }
        // A commit in flight is done when the next write returns, which also shows that the connection
        // can be used again.
        store.delete_audit(0, 1).await.unwrap();
        next = assert_complete(&*store, 10).await;
        let other = open_in(folder.path()).await;
        assert_eq!(assert_complete(&other, 10).await, next);
        other.close().await;
    }
    assert!(dropped > 10 && done > 10, "{dropped} dropped, {done} done");
}

#[tokio::test]
async fn rows_of_a_version_without_partitions_belong_to_the_first_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteConnectOptions::new().filename(folder.path().join("store.db")).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    first_migrations("sqlite", 2).await.run(&mut connection).await.unwrap();
    for statement in OLD_ROWS {
        sqlx::raw_sql(*statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    assert_old_rows(&open_in(folder.path()).await).await;
}

#[tokio::test]
async fn readers_see_commits_while_writers_write() {
    let (_folder, store) = open().await;
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 1..=50 {
                store.append(0, &[chat("demo", n, n)]).await.unwrap();
            }
        })
    };
    let mut seen = 0;
    while seen < 50 {
        let now = store.archived_up_to(0).await.unwrap().0;
        assert!(now >= seen);
        seen = now;
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn parallel_writers_queue_and_all_succeed() {
    let (_folder, store) = open().await;
    let writers: Vec<_> = (0..8u64)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 1..=20 {
                    store.append(0, &[chat("demo", writer * 100 + n, n)]).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let all = store.history(&room("demo"), HistoryRange::Latest, 1_000).await.unwrap();
    assert_eq!(all.messages.len(), 160);
}

#[tokio::test]
async fn an_invalid_path_is_an_error_and_a_closed_store_fails_as_retryable() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").join("store.db");
    let error = SqliteStore::open(&missing, &SqliteConfig::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Open(_)), "{error:?}");

    std::fs::write(folder.path().join("text.db"), "this is no database, only text".repeat(99)).unwrap();
    let text = folder.path().join("text.db");
    assert!(SqliteStore::open(&text, &SqliteConfig::default()).await.is_err());

    let store = open_in(folder.path()).await;
    store.close().await;
    assert!(store.ping().await.unwrap_err().is_retryable());
}

#[test]
fn an_unknown_configuration_key_is_an_error() {
    assert!(serde_json::from_str::<SqliteConfig>(r#"{"readers": 2}"#).is_ok());
    assert!(serde_json::from_str::<SqliteConfig>(r#"{"reader": 2}"#).is_err());
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

#[tokio::test]
async fn new_files_are_readable_by_their_owner_alone() {
    let (folder, store) = open().await;
    store.append(0, &[chat("demo", 1, 1_000)]).await.unwrap();
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.lock"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_deleted_or_replaced_file_fails_the_ping() {
    let (folder, store) = open().await;
    store.ping().await.unwrap();
    let path = folder.path().join("store.db");
    std::fs::remove_file(&path).unwrap();
    let gone = store.ping().await.unwrap_err();
    assert!(gone.to_string().contains("not there any more"), "{gone}");
    std::fs::write(&path, b"another").unwrap();
    let replaced = store.ping().await.unwrap_err();
    assert!(replaced.to_string().contains("replaced"), "{replaced}");
}

/// Overwrites all pages but the first ones, which hold the schema.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let from = bytes.len() / 2;
    bytes[from..].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
}

async fn filled(folder: &Path) {
    let store = open_in(folder).await;
    for batch in 0..20 {
        let entries: Vec<_> = (1..=100).map(|n| gift_entry("demo", batch * 100 + n)).collect();
        store.append(0, &entries).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn a_damaged_page_that_was_read_fails_every_later_ping() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let store = open_in(folder.path()).await;
    store.ping().await.unwrap();
    damage(&folder.path().join("store.db"));
    // The check at start read the pages into memory; a new version number makes SQLite read them again.
    let connection = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
    let mut other = SqliteConnection::connect_with(&connection).await.unwrap();
    drop(sqlx::query("PRAGMA user_version = 7").execute(&mut other).await);
    let mut broken = false;
    for after in (0..2_000).step_by(100) {
        let range = HistoryRange::After(barrage_protocol::Sequence(after));
        broken |= store.history(&room("demo"), range, 100).await.is_err();
    }
    assert!(broken, "no page was damaged");
    let unusable = store.ping().await.unwrap_err();
    assert!(unusable.to_string().contains("is damaged"), "{unusable}");
}

#[tokio::test]
async fn damage_is_detected_at_start() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    damage(&folder.path().join("store.db"));
    let store = open_in(folder.path()).await;
    let unusable = store.ping().await.unwrap_err();
    assert!(unusable.to_string().contains("is damaged"), "{unusable}");
}

#[tokio::test]
async fn deletions_of_the_audit_log_use_an_index() {
    let (folder, _store) = open().await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let plan: Vec<String> =
        sqlx::query("EXPLAIN QUERY PLAN SELECT id FROM audit WHERE at_ms < 5 ORDER BY at_ms, id LIMIT 10")
            .map(|row: sqlx::sqlite::SqliteRow| sqlx::Row::get(&row, "detail"))
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert!(plan.iter().all(|step| step.contains("audit_by_time")), "{plan:?}");
}
