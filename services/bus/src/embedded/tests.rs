//! The embedded engine under clocks that step and files that fail.

use std::path::Path;
use std::sync::Arc;

use barrage_clock::ManualClock;
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Sequence};

use super::EmbeddedBus;
use crate::config::BusConfig;
use crate::error::BusError;
use crate::log::{Draft, Log, RangeLimits, Receipt, Topic};
use crate::metrics::BusMetrics;
use crate::settings::change::Change;
use crate::settings_store::SettingsStore;

const START_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;

fn clock() -> ManualClock {
    ManualClock::at_unix_ms(START_MS)
}

fn open(folder: &Path, clock: &ManualClock, archived: u64) -> Arc<EmbeddedBus> {
    try_open(folder, clock, archived).unwrap()
}

fn try_open(folder: &Path, clock: &ManualClock, archived: u64) -> Result<Arc<EmbeddedBus>, BusError> {
    let metrics = BusMetrics::new(&prometheus::Registry::new()).unwrap();
    let path = EmbeddedBus::file(folder);
    EmbeddedBus::open_by(Box::new(clock.clone()), &path, BusConfig::default(), metrics, Sequence(archived))
}

fn gift(id: &str) -> Draft {
    Draft {
        room: "r".parse().unwrap(),
        class: Class::Gift,
        sender: Some("u".parse().unwrap()),
        id: Some(id.parse().unwrap()),
        fingerprint: 1,
        to: None,
        trace: None,
        body: "{}".into(),
    }
}

fn room() -> Topic {
    Topic::Room("r".parse().unwrap())
}

async fn publish(bus: &EmbeddedBus, id: &str) -> Receipt {
    bus.publish(vec![gift(id)]).await.unwrap()[0]
}

async fn outcome(bus: &EmbeddedBus, after: Sequence) -> (RepairOutcome, usize) {
    let range = bus.range(&room(), after, None, RangeLimits::default()).await.unwrap();
    (range.outcome, range.messages.len())
}

/// Makes a sweep run: it runs when it is due and a command arrives.
async fn sweep(bus: &EmbeddedBus, clock: &ManualClock) {
    clock.advance(6_000);
    publish(bus, "sweeps").await;
    publish(bus, "sweeps").await;
}

#[tokio::test]
async fn wall_clock_steps_keep_ids_and_messages() {
    for by_ms in [180_000, HOUR_MS.cast_signed(), -HOUR_MS.cast_signed()] {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let bus = open(folder.path(), &clock, 0);
        let first = publish(&bus, "first").await;
        let second = publish(&bus, "second").await;
        clock.advance(13_000);
        clock.step(by_ms);
        sweep(&bus, &clock).await;
        let again = publish(&bus, "second").await;
        assert_eq!((again.sequence, again.duplicate), (second.sequence, true), "{by_ms}");
        assert_eq!(outcome(&bus, first.sequence).await, (RepairOutcome::Complete, 2), "{by_ms}");
        assert_eq!(bus.read_all(0, Sequence::ZERO, 10).await.unwrap().len(), 3, "{by_ms}");
    }
}

#[tokio::test]
async fn wall_clock_steps_before_a_restart_keep_ids_and_messages() {
    for by_ms in [180_000, HOUR_MS.cast_signed(), -HOUR_MS.cast_signed(), 72 * HOUR_MS.cast_signed()] {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let bus = open(folder.path(), &clock, 0);
        let first = publish(&bus, "first").await;
        clock.step(by_ms);
        let second = publish(&bus, "second").await;
        drop(bus);
        clock.step(by_ms);
        let bus = open(folder.path(), &clock, 0);
        sweep(&bus, &clock).await;
        assert!(publish(&bus, "first").await.duplicate && publish(&bus, "second").await.duplicate);
        assert_eq!(outcome(&bus, first.sequence).await, (RepairOutcome::Complete, 2), "{by_ms}");
        assert!(second.sequence > first.sequence);
    }
}

#[tokio::test]
async fn ids_and_messages_expire_by_steady_time() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let bus = open(folder.path(), &clock, 0);
    let first = publish(&bus, "first").await;
    publish(&bus, "second").await;
    clock.advance(130_000);
    sweep(&bus, &clock).await;
    assert!(!publish(&bus, "first").await.duplicate, "an id is remembered for 120 s");
    clock.advance(1_800_000);
    sweep(&bus, &clock).await;
    assert_eq!(outcome(&bus, first.sequence).await.0, RepairOutcome::Gone);
    // The same when part of the time passed before a restart.
    clock.advance(HOUR_MS);
    let kept = publish(&bus, "kept").await;
    clock.advance(1_700_000);
    publish(&bus, "late").await;
    drop(bus);
    let bus = open(folder.path(), &clock, 0);
    assert_eq!(outcome(&bus, Sequence(kept.sequence.0 - 1)).await.0, RepairOutcome::Complete);
    clock.advance(110_000);
    sweep(&bus, &clock).await;
    assert_eq!(outcome(&bus, Sequence(kept.sequence.0 - 1)).await.0, RepairOutcome::Gone);
}

/// Copies the files that `kill -9` leaves, without the write-ahead log.
fn without_wal(from: &Path, to: &Path) {
    for name in ["bus.sqlite", "bus.mark"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[tokio::test]
async fn log_without_its_newest_part_gives_no_position_twice() {
    let (folder, cut, clock) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), clock());
    drop(open(folder.path(), &clock, 0));
    let bus = open(folder.path(), &clock, 0);
    let mut newest = publish(&bus, "g0").await.sequence;
    for n in 1..5 {
        newest = publish(&bus, &format!("g{n}")).await.sequence;
    }
    without_wal(folder.path(), cut.path());
    let reopened = open(cut.path(), &clock, 0);
    let next = publish(&reopened, "new").await;
    assert!(next.sequence > newest, "{} was given twice", next.sequence);
    let subscription = reopened.subscribe(&room()).await.unwrap();
    assert_eq!(subscription.start, next.sequence);
    assert_eq!(outcome(&reopened, newest).await.0, RepairOutcome::Gone, "a resume over the lost part");
    assert_eq!(*reopened.tail(0).borrow(), next.sequence);
}

#[tokio::test]
async fn new_log_beside_an_older_archive_continues_behind_it() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let bus = open(folder.path(), &clock, 123_456);
    assert!(bus.tail(0).borrow().0 >= 123_456, "the archiver would take the bus for another one");
    let next = publish(&bus, "new").await;
    assert!(next.sequence.0 > 123_456);
    assert_eq!(outcome(&bus, Sequence(123_456)).await.0, RepairOutcome::Gone);
    assert_eq!(bus.read_all(0, Sequence(123_456), 10).await.unwrap().len(), 1);
    drop(bus);
    // The second start finds a complete log.
    let bus = open(folder.path(), &clock, next.sequence.0);
    assert_eq!(outcome(&bus, Sequence(next.sequence.0 - 1)).await, (RepairOutcome::Complete, 1));
}

/// Reserved positions that no message got do not count as lost.
#[tokio::test]
async fn process_that_published_nothing_reports_no_loss() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let bus = open(folder.path(), &clock, 0);
    let first = publish(&bus, "first").await;
    drop(bus);
    for _ in 0..2 {
        let bus = open(folder.path(), &clock, first.sequence.0);
        bus.commands().send(super::sequencer::Command::Tick).await.unwrap();
        bus.change(Change::Switch { name: "no-likes".into(), value: false.into() }).await.unwrap();
        assert_eq!(outcome(&bus, Sequence::ZERO).await, (RepairOutcome::Complete, 1));
    }
}

#[tokio::test]
async fn second_engine_on_the_same_log_is_refused() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let bus = open(folder.path(), &clock, 0);
    let Err(BusError::Unavailable(reason)) = try_open(folder.path(), &clock, 0) else {
        panic!("two engines opened one log");
    };
    assert!(reason.contains("used by another process"), "{reason}");
    publish(&bus, "still-mine").await;
    drop(bus);
    open(folder.path(), &clock, 0);
}

#[tokio::test]
async fn deleted_log_file_fails_the_condition() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let bus = open(folder.path(), &clock, 0);
    assert_eq!(bus.condition(), Ok(()));
    std::fs::remove_file(EmbeddedBus::file(folder.path())).unwrap();
    let failed = async {
        while bus.condition().is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), failed).await.unwrap();
    assert!(bus.condition().unwrap_err().contains("not there any more"));
}

#[tokio::test]
async fn log_of_an_older_version_is_migrated() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let path = EmbeddedBus::file(folder.path());
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&format!(
        "CREATE TABLE messages (sequence INTEGER PRIMARY KEY, direct INTEGER NOT NULL, room TEXT NOT NULL,
           previous INTEGER NOT NULL, class INTEGER NOT NULL, sender TEXT, id TEXT, fingerprint INTEGER NOT NULL,
           recipient TEXT, at_ms INTEGER NOT NULL, body BLOB NOT NULL);
         CREATE TABLE topics (direct INTEGER NOT NULL, room TEXT NOT NULL, last INTEGER NOT NULL,
           PRIMARY KEY (direct, room)) WITHOUT ROWID;
         CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
         INSERT INTO messages VALUES (1, 0, 'r', 0, 1, 'u', 'old', 1, NULL, {START_MS}, x'7b7d');
         INSERT INTO topics VALUES (0, 'r', 1);
         INSERT INTO meta VALUES ('reserved', 65537);"
    ))
    .unwrap();
    drop(old);
    let bus = open(folder.path(), &clock, 1);
    assert!(publish(&bus, "old").await.duplicate);
    assert_eq!(outcome(&bus, Sequence::ZERO).await, (RepairOutcome::Complete, 1));
}

#[tokio::test]
async fn a_log_of_a_version_without_traces_is_readable() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let bus = open(folder.path(), &clock, 0);
    publish(&bus, "old").await;
    drop(bus);
    let connection = rusqlite::Connection::open(EmbeddedBus::file(folder.path())).unwrap();
    connection.execute_batch("ALTER TABLE messages DROP COLUMN traceparent; DROP TABLE sampling").unwrap();
    drop(connection);
    let bus = open(folder.path(), &clock, 0);
    publish(&bus, "new").await;
    assert_eq!(outcome(&bus, Sequence::ZERO).await, (RepairOutcome::Complete, 2));
}

/// SQLite has no sums in the main file.
#[tokio::test]
async fn message_whose_text_has_changed_on_the_disk_is_not_served() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let bus = open(folder.path(), &clock, 0);
    publish(&bus, "gift").await;
    drop(bus);
    drop(open(folder.path(), &clock, 0));
    let path = EmbeddedBus::file(folder.path());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("UPDATE messages SET body = x'7b20'").unwrap();
    let Err(BusError::Unavailable(reason)) = try_open(folder.path(), &clock, 0) else {
        panic!("a changed text is served");
    };
    assert!(reason.contains("the message at 1 has changed on the disk"), "{reason}");
    // A message of an older version has no sum.
    connection.execute_batch("UPDATE messages SET sum = NULL").unwrap();
    drop(connection);
    assert_eq!(outcome(&open(folder.path(), &clock, 0), Sequence::ZERO).await, (RepairOutcome::Complete, 1));
}

/// The newest messages are read from memory, and older ones from the file.
#[tokio::test]
async fn a_reader_of_all_messages_gets_each_once_from_file_and_memory() {
    const PACKAGES: u64 = 10;
    const PACKAGE: u64 = 500;
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let bus = open(folder.path(), &clock, 0);
    let mut given = Vec::new();
    for package in 0..PACKAGES {
        let chat = |number: u64| Draft { class: Class::Chat, ..gift(&format!("{package}-{number}")) };
        let receipts = bus.publish((0..PACKAGE).map(chat).collect()).await.unwrap();
        given.extend(receipts.iter().map(|receipt| receipt.sequence));
        let to_one = Draft { to: Some("v".parse().unwrap()), ..gift(&format!("direct-{package}")) };
        bus.publish(vec![to_one]).await.unwrap();
    }
    let read = async |bus: &EmbeddedBus| {
        let mut read = Vec::new();
        loop {
            let after = read.last().copied().unwrap_or_default();
            let batch = bus.read_all(0, after, 300).await.unwrap();
            if batch.is_empty() {
                return read;
            }
            read.extend(batch.iter().map(|stored| stored.at));
        }
    };
    assert_eq!(read(&bus).await, given, "the first messages are not in memory any more");
    // Time takes the others out of memory, too.
    sweep(&bus, &clock).await;
    given.push(publish(&bus, "sweeps").await.sequence);
    assert_eq!(read(&bus).await, given);
    drop(bus);
    assert_eq!(read(&open(folder.path(), &clock, 0)).await, given);
}
