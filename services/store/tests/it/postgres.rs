//! Faults of a PostgreSQL server.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_store::{ArchiveEntry, HistoryRange, PostgresConfig, PostgresStore, Store, StoreError};
use barrage_testkit::postgres::PASSWORD;
use barrage_testkit::wait;
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use crate::server::{Server, shared};
use crate::suite::cut::{assert_complete, first_polls};
use crate::suite::partitions::{OLD_ROWS, assert_old_rows, first_migrations};
use crate::suite::{chat, gift_entry, room};

/// Longest wait for a state that must come.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Opens an empty store on the shared server.
pub(crate) async fn open() -> Arc<dyn Store> {
    Arc::new(shared().await.store().await)
}

/// Returns the batch of ten gifts with this number, from 0.
fn batch(number: u64) -> Vec<ArchiveEntry> {
    (1..=10).map(|n| gift_entry("demo", number * 10 + n)).collect()
}

#[tokio::test]
async fn several_processes_can_open_a_new_database_at_once() {
    let config = shared().await.empty_database().await;
    let opening: Vec<_> = (0..5)
        .map(|_| {
            let config = config.clone();
            tokio::spawn(async move { PostgresStore::open(&config).await })
        })
        .collect();
    for (number, opened) in (0..).zip(opening) {
        let store = opened.await.unwrap().unwrap();
        assert_eq!(store.append(0, &batch(number)).await.unwrap(), 10);
        assert_eq!(assert_complete(&store, 10).await, number * 10 + 10);
    }
}

#[tokio::test]
async fn a_crash_of_the_server_keeps_answered_batches_and_no_part_of_others() {
    let mut server = Server::start().await;
    let store = Arc::new(server.store().await);
    let mut next = 0;
    for _ in 0..3 {
        let writer = {
            let store = store.clone();
            tokio::spawn(async move {
                let mut answered = next;
                loop {
                    match store.append(0, &batch(answered)).await {
                        Ok(_) => answered += 1,
                        Err(error) => return (answered, error),
                    }
                }
            })
        };
        let enough = Sequence(next * 10 + 100);
        wait::until_true(WAIT_MAX, "ten batches are stored", async || {
            store.archived_up_to(0).await.unwrap() >= enough
        })
        .await;
        server.postgres.crash();
        let (answered, error) = writer.await.unwrap();
        assert!(error.is_retryable(), "{error:?}");
        assert!(store.ping().await.unwrap_err().is_retryable());

        server.postgres.restart().await;
        store.ping().await.unwrap();
        next = assert_complete(&*store, 10).await / 10;
        assert!((answered..=answered + 1).contains(&next), "{answered} answered, {next} stored");
        store.append(0, &batch(next)).await.unwrap();
        next += 1;
    }
}

#[tokio::test]
async fn calls_of_a_hanging_server_fail_in_time_and_later_calls_succeed() {
    let server = Server::start().await;
    let config = PostgresConfig {
        connections: 2,
        acquire_timeout_ms: 500,
        call_timeout_ms: 600,
        ..server.database().await
    };
    let store = PostgresStore::open(&config).await.unwrap();
    store.append(0, &batch(0)).await.unwrap();
    server.postgres.pause();
    let started = barrage_clock::now();
    for _ in 0..2 {
        assert!(store.append(0, &batch(1)).await.unwrap_err().is_retryable());
        assert!(store.archived_up_to(0).await.unwrap_err().is_retryable());
    }
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    let error = PostgresStore::open(&config).await.unwrap_err();
    assert!(matches!(error, StoreError::Open(_)), "{error:?}");

    server.postgres.resume();
    let deadline = barrage_clock::now() + Duration::from_secs(5);
    while let Err(error) = store.append(0, &batch(1)).await {
        assert!(barrage_clock::now() < deadline, "{error:?}");
    }
    assert_eq!(assert_complete(&store, 10).await, 20);
}

#[tokio::test]
async fn a_connection_that_falls_silent_in_a_call_is_replaced() {
    let server = Server::start().await;
    let config = PostgresConfig {
        connections: 1,
        acquire_timeout_ms: 1_000,
        call_timeout_ms: 1_000,
        ..server.database().await
    };
    let store = PostgresStore::open(&config).await.unwrap();
    let mut other = PgConnection::connect(config.url.expose()).await.unwrap();
    let _held = hold_position(&mut other).await;
    let entries = batch(0);
    let started = barrage_clock::now();
    let (appended, ()) = tokio::join!(store.append(0, &entries), async {
        until_waiting(&config, 1).await;
        server.postgres.pause_connections();
    });
    assert!(appended.unwrap_err().is_retryable());
    while let Err(error) = store.ping().await {
        assert!(started.elapsed() < Duration::from_secs(6), "{error:?}");
    }
    server.postgres.resume();
}

/// Holds the lock that an archiver holds while it writes.
async fn hold_position(connection: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut held = connection.begin().await.unwrap();
    sqlx::query("UPDATE archive_positions SET sequence = sequence").execute(&mut *held).await.unwrap();
    held
}

/// Waits until so many statements wait for a lock.
async fn until_waiting(config: &PostgresConfig, statements: i64) {
    let mut connection = PgConnection::connect(config.url.expose()).await.unwrap();
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait::until_true(WAIT_MAX, "statements wait for a lock", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut connection).await.unwrap() >= statements
    })
    .await;
}

#[tokio::test]
async fn an_append_waits_for_another_archiver_only_until_its_deadline() {
    let config = PostgresConfig { call_timeout_ms: 1_000, ..shared().await.database().await };
    let store = PostgresStore::open(&config).await.unwrap();
    let mut other = PgConnection::connect(config.url.expose()).await.unwrap();
    let held = hold_position(&mut other).await;

    assert!(store.append(0, &batch(0)).await.unwrap_err().is_retryable());
    assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence::ZERO);
    let entries = batch(0);
    let (appended, released) = tokio::join!(store.append(0, &entries), held.rollback());
    released.unwrap();
    assert_eq!(appended.unwrap(), 10);
    assert_eq!(assert_complete(&store, 10).await, 10);
}

#[tokio::test]
async fn two_archivers_of_a_new_room_agree_on_its_start() {
    let config = shared().await.database().await;
    let (one, two) =
        (PostgresStore::open(&config).await.unwrap(), PostgresStore::open(&config).await.unwrap());
    let mut other = PgConnection::connect(config.url.expose()).await.unwrap();
    let held = hold_position(&mut other).await;
    let (first, second) = ([chat("new", 1, 5_000)], [chat("new", 2, 5_700)]);
    let (first, second, ()) = tokio::join!(one.append(0, &first), two.append(0, &second), async {
        until_waiting(&config, 2).await;
        held.rollback().await.unwrap();
    });
    assert_eq!((first.unwrap(), second.unwrap()), (1, 1));
    let stream = one.history_by_offset(&room("new"), 0, u64::MAX, 10).await.unwrap();
    assert_eq!(stream.messages.len(), 2, "each archiver began a stream of its own");
}

/// Appends of the test below that may end before their lock is seen.
const APPENDS_MAX: u64 = 20;

#[tokio::test]
async fn a_process_that_stops_inside_a_transaction_loses_its_locks() {
    let config = PostgresConfig { connections: 1, call_timeout_ms: 1_000, ..shared().await.database().await };
    let (stopped, other) =
        (PostgresStore::open(&config).await.unwrap(), PostgresStore::open(&config).await.unwrap());
    // The append is not polled any more, as if its process were stopped. On a busy machine an append
    // may end before its lock is seen: then the next one is the one that stops.
    let batches: Vec<_> = (0..APPENDS_MAX).map(batch).collect();
    let mut watch = PgConnection::connect(config.url.expose()).await.unwrap();
    let mut whole = 0;
    let _append = loop {
        assert!(whole < batches.len(), "all {APPENDS_MAX} appends ended before they were stopped");
        let mut append = Box::pin(stopped.append(0, &batches[whole]));
        if reaches_lock(append.as_mut(), &mut watch).await {
            break append;
        }
        whole += 1;
    };
    let deadline = barrage_clock::now() + Duration::from_secs(5);
    while let Err(error) = other.append(0, &batches[whole]).await {
        assert!(error.is_retryable() && barrage_clock::now() < deadline, "{error:?}");
    }
    assert_eq!(usize::try_from(assert_complete(&other, 10).await).unwrap(), 10 * (whole + 1));
}

/// Polls an append until it holds a lock. Returns false when the append ended before.
async fn reaches_lock<F: Future>(mut append: Pin<&mut F>, watch: &mut PgConnection) -> bool {
    while held_locks(watch).await == 0 {
        if first_polls(append.as_mut(), 1).await.is_some() {
            return false;
        }
    }
    true
}

/// Returns the number of locks on the archive's positions.
async fn held_locks(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM pg_locks WHERE relation = 'archive_positions'::regclass
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_dropped_append_is_stored_completely_or_not_at_all() {
    // One connection: the next call waits until the dropped one was rolled back or committed.
    let config = PostgresConfig { connections: 1, ..shared().await.database().await };
    let store = PostgresStore::open(&config).await.unwrap();
    let (mut next, mut dropped, mut done) = (0, 0, 0);
    for round in 0..90 {
        // An append needs a few polls on an idle machine and more on a busy one.
        let polls = if round % 2 == 0 { round / 2 % 4 } else { round % 30 };
        match first_polls(store.append(0, &batch(next)), polls).await {
            Some(appended) => {
                assert_eq!(appended.unwrap(), 10);
                done += 1;
            }
            None => dropped += 1,
        }
        next = assert_complete(&store, 10).await / 10;
    }
    assert!(dropped > 10 && done > 10, "{dropped} dropped, {done} done");
}

#[tokio::test]
async fn a_page_of_a_silent_room_reads_no_messages_of_other_rooms() {
    let config = shared().await.database().await;
    let store = PostgresStore::open(&config).await.unwrap();
    let entry =
        |n: u64| if n <= 50 { gift_entry("silent", n) } else { gift_entry(&format!("r{}", n % 40), n) };
    store.append(0, &(1..=4_000).map(entry).collect::<Vec<_>>()).await.unwrap();
    let mut connection = PgConnection::connect(config.url.expose()).await.unwrap();
    sqlx::query("ANALYZE").execute(&mut connection).await.unwrap();
    let silent = room("silent");
    // More often than PostgreSQL plans for the values before it settles on a generic plan.
    for _ in 0..20 {
        for range in [HistoryRange::Latest, HistoryRange::After(Sequence(9))] {
            assert_eq!(store.history(&silent, range, 5).await.unwrap().messages.len(), 5);
        }
        assert_eq!(store.gifts(&silent, Sequence(9), 5).await.unwrap().len(), 5);
        assert!(store.history_by_offset(&silent, 0, 10, 5).await.unwrap().more);
    }
    // The server counts the reads of a connection when the connection ends.
    store.close().await;
    let read = async |connection: &mut PgConnection| {
        let sql = "SELECT COALESCE(SUM(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes
            WHERE relname IN ('messages', 'gifts')";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(connection).await.unwrap()
    };
    wait::until_true(WAIT_MAX, "the reads are counted", async || read(&mut connection).await > 0).await;
    let by_index = read(&mut connection).await;
    assert!(by_index < 20 * 4 * 20, "{by_index} rows read");
}

#[tokio::test]
async fn rows_of_a_version_without_partitions_belong_to_the_first_one() {
    let config = shared().await.empty_database().await;
    let mut connection = PgConnection::connect(config.url.expose()).await.unwrap();
    let old = first_migrations("postgres", 1).await;
    old.run(&mut connection).await.unwrap();
    for statement in OLD_ROWS {
        sqlx::raw_sql(*statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let store = PostgresStore::open(&config).await.unwrap();
    assert_old_rows(&store).await;
}

#[tokio::test]
async fn archivers_of_two_partitions_do_not_wait_for_each_other() {
    let config = PostgresConfig { call_timeout_ms: 3_000, ..shared().await.database().await };
    let store = PostgresStore::open(&config).await.unwrap();
    let mut other = PgConnection::connect(config.url.expose()).await.unwrap();
    let held = hold_position(&mut other).await;
    assert_eq!(store.append(1, &batch(0)).await.unwrap(), 10);
    assert_eq!(store.archived_up_to(1).await.unwrap(), Sequence(10));
    held.rollback().await.unwrap();
}

/// Returns all texts of an error and its sources.
fn all_text(error: &StoreError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(inner) = source {
        text += &format!(" {inner:?} {inner}");
        source = inner.source();
    }
    text
}

#[tokio::test]
async fn an_error_of_opening_shows_no_password() {
    let good = shared().await.database().await;
    let broken = |url: String| PostgresConfig {
        url: url.into(),
        acquire_timeout_ms: 300,
        ..PostgresConfig::default()
    };
    let wrong_password = broken(good.url.expose().replace(PASSWORD, "another-a-secret-of-the-test"));
    let no_database = broken(shared().await.postgres.url("nowhere"));
    let no_server = broken(format!("postgres://barrage:{PASSWORD}@127.0.0.1:1/demo"));
    let no_port = broken(format!("postgres://barrage:{PASSWORD}@127.0.0.1:port/demo"));
    let no_url = broken(format!("barrage:{PASSWORD}"));
    for config in [wrong_password, no_database, no_server, no_port, no_url] {
        let error = PostgresStore::open(&config).await.unwrap_err();
        assert!(matches!(error, StoreError::Open(_)) && !error.is_retryable(), "{error:?}");
        let text = all_text(&error) + &format!("{config:?}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
    let store = PostgresStore::open(&good).await.unwrap();
    assert!(!format!("{store:?} {good:?}").contains(PASSWORD));
    store.append(0, &[chat("demo", 1, 1_000)]).await.unwrap();
    store.close().await;
    assert!(store.ping().await.unwrap_err().is_retryable());
}

#[test]
fn an_unknown_configuration_key_is_an_error() {
    assert!(serde_json::from_str::<PostgresConfig>(r#"{"connections": 2}"#).is_ok());
    assert!(serde_json::from_str::<PostgresConfig>(r#"{"connection": 2}"#).is_err());
}

#[tokio::test]
async fn inspection_shows_the_migration_of_the_database_and_of_the_program() {
    let server = shared().await;
    let (migrated, empty) = (server.database().await, server.empty_database().await);
    let info = barrage_store::postgres::inspect(&migrated).await.unwrap();
    assert!(info.migration > 0 && info.migration == info.migration_known, "{info:?}");
    let info = barrage_store::postgres::inspect(&empty).await.unwrap();
    assert!(info.migration == 0 && info.migration_known > 0, "{info:?}");
}
