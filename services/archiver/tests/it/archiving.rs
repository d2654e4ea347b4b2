//! Archiving from an embedded bus to SQLite.

use std::sync::Arc;
use std::task::Poll;

use barrage_archiver::{ArchiverConfig, ArchiverError, ArchiverMetrics, Report, run};
use barrage_bus::{Bus, Change, RoomSettings};
use barrage_protocol::{Class, Message, Sequence};
use barrage_store::{ArchiveEntry, Effect, Store, StoreError};
use barrage_trace::Tracer;
use prometheus::{Encoder, Registry, TextEncoder};
use tokio_util::sync::CancellationToken;

use crate::harness::{
    Fault, FaultyStore, chat, config, draft, gift, history, metrics, open_bus, open_store, publish, room,
    within,
};

/// Runs an archiver whose shutdown was requested before: it only drains.
async fn drain(bus: &Arc<dyn Bus>, store: Arc<dyn Store>) -> Result<Report, ArchiverError> {
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    run(bus.clone(), store, config(), metrics(), Tracer::default(), shutdown).await
}

#[tokio::test]
async fn next_run_continues_at_the_position_of_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open_bus(folder.path());
    let store = Arc::new(open_store(folder.path()).await);
    let mut a = publish(&bus, vec![chat("a"); 30]).await;
    let b = publish(&bus, vec![gift("b"); 25]).await;
    let report = drain(&bus, store.clone()).await.unwrap();
    let positions = vec![Sequence(b[24])];
    assert_eq!(report, Report { archived: 55, positions: positions.clone(), drained: true });

    let again = drain(&bus, store.clone()).await.unwrap();
    assert_eq!(again, Report { archived: 0, positions, drained: true });

    a.extend(publish(&bus, vec![chat("a"); 3]).await);
    assert_eq!(drain(&bus, store.clone()).await.unwrap().archived, 3);
    assert_eq!(history(&*store, "a").await, a);
    assert_eq!(history(&*store, "b").await, b);
    let gifts = store.gifts(&room("b"), Sequence::ZERO, 1_000).await.unwrap();
    let amount_minor: u64 = gifts.iter().map(|gift| gift.amount_minor()).sum();
    let count: u32 = gifts.iter().map(|gift| gift.count).sum();
    assert_eq!((gifts.len(), count, amount_minor), (25, 50, 2_500));
}

#[tokio::test]
async fn archiver_follows_the_bus_and_drains_at_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open_bus(folder.path());
    let store = FaultyStore::new(open_store(folder.path()).await, Fault::Refused, 0);
    let shutdown = CancellationToken::new();
    // A poll would hide a lost wake-up of the bus.
    let config = ArchiverConfig { poll_interval_ms: 3_600_000, ..config() };
    let running =
        tokio::spawn(run(bus.clone(), store.clone(), config, metrics(), Tracer::default(), shutdown.clone()));
    let mut appended = store.appended.subscribe();
    let mut all = Vec::new();
    for _ in 0..20 {
        all.extend(publish(&bus, vec![chat("a"), gift("a")]).await);
        let newest = Sequence(*all.last().unwrap());
        within("the newest message", appended.wait_for(|position| *position >= newest)).await.unwrap();
    }
    all.extend(publish(&bus, vec![gift("a"); 50]).await);
    shutdown.cancel();
    let report = within("the end of the run", running).await.unwrap().unwrap();
    assert!(report.drained);
    assert_eq!(report.archived, 90);
    assert_eq!(history(&open_store(folder.path()).await, "a").await, all);
}

#[tokio::test]
async fn failing_store_is_retried_without_gaps_or_doubles() {
    for fault in [Fault::Refused, Fault::AnswerLost, Fault::Silent] {
        let folder = tempfile::tempdir().unwrap();
        let bus = open_bus(folder.path());
        let store = FaultyStore::new(open_store(folder.path()).await, fault, 5);
        let sent = publish(&bus, vec![gift("a"); 40]).await;
        let (registry, shutdown) = (Registry::new(), CancellationToken::new());
        shutdown.cancel();
        let config = ArchiverConfig { append_timeout_ms: 200, ..config() };
        let metrics = ArchiverMetrics::new(&registry).unwrap();
        let report = run(bus, store, config, metrics, Tracer::default(), shutdown).await.unwrap();
        assert_eq!((report.archived, report.drained), (40, true), "{fault:?}");
        let reopened = open_store(folder.path()).await;
        assert_eq!(history(&reopened, "a").await, sent, "{fault:?}");
        assert_eq!(reopened.gifts(&room("a"), Sequence::ZERO, 1_000).await.unwrap().len(), 40);

        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "barrage_archiver_store_failures_total 5",
            "barrage_archiver_archived_total{class=\"gift\"} 40",
            "barrage_archiver_archived_total{class=\"chat\"} 0",
            "barrage_archiver_lag_messages 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}

#[tokio::test]
async fn drain_ends_without_a_store_and_the_next_run_continues() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open_bus(folder.path());
    let inner = open_store(folder.path()).await;
    let store = FaultyStore::new(inner.clone(), Fault::Refused, u32::MAX);
    let sent = publish(&bus, vec![gift("a"); 3]).await;
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let config = ArchiverConfig { drain_timeout_ms: 50, ..config() };
    let report = run(bus.clone(), store, config, metrics(), Tracer::default(), shutdown).await.unwrap();
    assert_eq!(report, Report { archived: 0, positions: vec![Sequence::ZERO], drained: false });
    let inner = Arc::new(inner);
    drain(&bus, inner.clone()).await.unwrap();
    assert_eq!(history(&*inner, "a").await, sent);
}

/// Polls the future at most `polls` times, then drops it.
async fn first_polls<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = future.as_mut().poll(context).map(Some);
        // A wake-up after the last poll would find no poll left.
        if polled.is_pending() && left == 0 { Poll::Ready(None) } else { polled }
    })
    .await
}

#[tokio::test]
async fn archiver_dropped_at_any_await_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open_bus(folder.path());
    let mut sent = Vec::new();
    let mut in_between = 0;
    for round in 0..40 {
        sent.extend(publish(&bus, vec![gift("a"); 20]).await);
        let store = FaultyStore::new(open_store(folder.path()).await, Fault::AnswerLost, round % 2);
        // Without a shutdown the run ends when it is dropped.
        let config = ArchiverConfig { poll_interval_ms: 1, ..config() };
        let running =
            run(bus.clone(), store.clone(), config, metrics(), Tracer::default(), CancellationToken::new());
        assert!(first_polls(running, round * 2).await.is_none());
        // A commit in progress would otherwise change the store between the reads below.
        store.close().await;
        let reopened = open_store(folder.path()).await;
        let kept = history(&reopened, "a").await;
        assert_eq!(kept, sent[..kept.len()], "round {round}: out of order or skipped");
        let ledger = reopened.gifts(&room("a"), Sequence::ZERO, 1_000).await.unwrap();
        assert_eq!(ledger.len(), kept.len(), "round {round}: archive and ledger differ");
        in_between += u32::from(!kept.is_empty() && kept.len() < sent.len());
    }
    assert!(in_between > 5, "only {in_between} rounds ended in the middle");
    let store = Arc::new(open_store(folder.path()).await);
    drain(&bus, store.clone()).await.unwrap();
    assert_eq!(history(&*store, "a").await, sent);
    assert_eq!(store.gifts(&room("a"), Sequence::ZERO, 1_000).await.unwrap().len(), 800);
}

#[tokio::test]
async fn recalls_hide_messages_super_chats_are_booked_and_offsets_follow_the_room() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open_bus(folder.path());
    let store = Arc::new(open_store(folder.path()).await);
    let first = publish(&bus, vec![chat("a"), chat("a")]).await;
    let started = bus.read_all(0, Sequence::ZERO, 1).await.unwrap()[0].message.at_ms - 60_000;
    let settings =
        RoomSettings { title: "A".to_owned(), stream_started_at_ms: started, ..RoomSettings::default() };
    bus.change(Change::Room(room("a"), settings.clone())).await.unwrap();
    let recall = format!(r#"{{"type":"signal","signal":"recall","sequence":{}}}"#, first[0]);
    let paid = r#"{"type":"super_chat","text":"hi","amount_minor":3000,"currency":"CNY"}"#;
    let broken = r#"{"type":"gift","gift":{"name":"x","count":-5}}"#;
    let drafts = vec![
        draft("a", Class::Signal, &recall),
        draft("a", Class::Gift, paid),
        draft("a", Class::Gift, broken),
        draft("a", Class::Chat, "not json"),
    ];
    let rest = publish(&bus, drafts).await;
    drain(&bus, store.clone()).await.unwrap();

    assert_eq!(history(&*store, "a").await, [&first[1..], &rest[..]].concat());
    let gifts = store.gifts(&room("a"), Sequence::ZERO, 1_000).await.unwrap();
    assert_eq!(gifts.len(), 1);
    assert_eq!((gifts[0].currency.as_deref(), gifts[0].amount_minor()), (Some("CNY"), 3_000));
    let page = store.history_by_offset(&room("a"), 60_000, u64::MAX, 100).await.unwrap();
    assert_eq!(page.messages.len(), 5);
    assert_eq!(store.room(&room("a")).await.unwrap().unwrap().title, "A");

    let renamed = RoomSettings { title: "B".to_owned(), ..settings };
    bus.change(Change::Room(room("a"), renamed)).await.unwrap();
    publish(&bus, vec![chat("a")]).await;
    drain(&bus, store.clone()).await.unwrap();
    assert_eq!(store.room(&room("a")).await.unwrap().unwrap().title, "B");
}

/// Makes an entry of a message that no bus published, accepted in 1970.
fn stray(sequence: u64) -> ArchiveEntry {
    let message = Message {
        room: room("a"),
        sequence: Sequence(sequence),
        previous: Sequence::ZERO,
        class: Class::Chat,
        sender: None,
        id: None,
        to: None,
        at_ms: 1_000,
        trace: None,
        body: "{}".into(),
    };
    ArchiveEntry { at: message.sequence, message: Arc::new(message), effect: Effect::None }
}

#[tokio::test]
async fn bus_and_store_of_different_origin_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open_bus(folder.path());
    let sent = publish(&bus, vec![chat("a"); 3]).await;
    let store = Arc::new(open_store(folder.path()).await);
    store.append(0, &[stray(sent[2] + 1_000_000)]).await.unwrap();
    let error = drain(&bus, store).await.unwrap_err();
    assert!(matches!(error, ArchiverError::BusBehind { .. }), "{error:?}");

    // The store has a message of another bus at a position of this bus.
    let other = tempfile::tempdir().unwrap();
    let inner = open_store(other.path()).await;
    inner.append(0, &[stray(sent[1])]).await.unwrap();
    let store = FaultyStore::new(inner, Fault::PositionLost, 1);
    let error = drain(&bus, store).await.unwrap_err();
    let ArchiverError::Store(StoreError::Conflict(sequence)) = error else { panic!("{error:?}") };
    assert_eq!(sequence, Sequence(sent[1]));
    assert_eq!(history(&open_store(other.path()).await, "a").await, [sent[1]]);
}

#[tokio::test]
async fn old_messages_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open_bus(folder.path());
    let sent = publish(&bus, vec![chat("a"); 50]).await;
    let inner = open_store(folder.path()).await;
    let old: Vec<_> = sent[..40].iter().map(|sequence| stray(*sequence)).collect();
    inner.append(0, &old).await.unwrap();

    let store = FaultyStore::new(inner.clone(), Fault::Refused, 0);
    let shutdown = CancellationToken::new();
    let config = ArchiverConfig { retention_hours: 1, retention_chunk_rows: 8, ..config() };
    let mut deleted = store.deleted.subscribe();
    let running =
        tokio::spawn(run(bus, store.clone(), config, metrics(), Tracer::default(), shutdown.clone()));
    within("40 deletions", deleted.wait_for(|deleted| *deleted == 40)).await.unwrap();
    shutdown.cancel();
    assert_eq!(within("the end of the run", running).await.unwrap().unwrap().archived, 10);
    assert_eq!(history(&inner, "a").await, sent[40..]);
}

#[test]
fn unknown_key_of_the_configuration_is_refused() {
    let parse = serde_json::from_str::<ArchiverConfig>;
    assert!(parse(r#"{"batch_messages_max": 2}"#).is_ok());
    assert!(parse(r#"{"retention_days": 2}"#).is_err());
}
