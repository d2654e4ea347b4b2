//! Archiving from a NATS bus with three partitions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use barrage_archiver::{ArchiverConfig, run};
use barrage_bus::{Bus, Change, RoomSettings};
use barrage_protocol::Sequence;
use barrage_store::Store;
use barrage_testkit::{NatsServer, wait};
use barrage_trace::Tracer;
use tokio_util::sync::CancellationToken;

use crate::harness::{
    Fault, FaultyStore, config, connect_bus, connect_patient, gift, history, metrics, open_store, publish,
    room, within,
};

const ROOMS: usize = 12;

/// Positions of the accepted messages, by room.
type Sent = BTreeMap<String, Vec<u64>>;

async fn send(bus: &Arc<dyn Bus>, sent: &mut Sent, count: usize) {
    for n in 0..ROOMS {
        let name = format!("r{n}");
        let places = publish(bus, vec![gift(&name); count]).await;
        sent.entry(name).or_default().extend(places);
    }
}

/// Returns the number of archived messages. They are the first of each room, and each has a ledger
/// row.
async fn kept(folder: &Path, sent: &Sent) -> usize {
    let store = open_store(folder).await;
    let mut kept = 0;
    for (name, sent) in sent {
        let places = history(&store, name).await;
        assert_eq!(places, sent[..places.len()], "{name}: out of order or skipped");
        let ledger = store.gifts(&room(name), Sequence::ZERO, 1_000).await.unwrap();
        assert_eq!(ledger.len(), places.len(), "{name}: archive and ledger differ");
        kept += places.len();
    }
    store.close().await;
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archiver_killed_at_any_moment_loses_and_doubles_nothing_in_any_partition() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = NatsServer::start().await;
    let bus = connect_bus(&server, 3).await;
    let mut sent = Sent::new();
    let (mut in_between, mut accepted) = (0, 0);
    for round in 0..8 {
        send(&bus, &mut sent, 5).await;
        accepted += ROOMS * 5;
        let store = FaultyStore::new(open_store(folder.path()).await, Fault::AnswerLost, round % 2);
        let mut appended = store.appended.subscribe();
        let config = ArchiverConfig { batch_messages_max: 3, ..config() };
        let running = tokio::spawn(run(
            bus.clone(),
            store.clone(),
            config,
            metrics(),
            Tracer::default(),
            CancellationToken::new(),
        ));
        within("a first batch", appended.changed()).await.unwrap();
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        // A commit in progress would otherwise change the store between the reads below.
        store.close().await;
        in_between += usize::from(kept(folder.path(), &sent).await < accepted);
    }
    assert!(in_between > 0, "no round ended in the middle");

    // The bus is away when the archiver starts, and comes back with more messages.
    server.kill();
    let store = FaultyStore::new(open_store(folder.path()).await, Fault::Refused, 2);
    let shutdown = CancellationToken::new();
    let config = ArchiverConfig { drain_timeout_ms: 60_000, ..config() };
    let running =
        tokio::spawn(run(bus.clone(), store.clone(), config, metrics(), Tracer::default(), shutdown.clone()));
    server.restart().await;
    send(&bus, &mut sent, 2).await;
    shutdown.cancel();
    let report = within("the end of the run", running).await.unwrap().unwrap();
    assert!(report.drained);
    store.close().await;
    assert_eq!(kept(folder.path(), &sent).await, ROOMS * 42);
    let store = open_store(folder.path()).await;
    for (partition, position) in (0..).zip(report.positions) {
        assert_eq!(store.archived_up_to(partition).await.unwrap(), position);
        assert!(position > Sequence::ZERO, "partition {partition} has no room");
    }
    assert!(sent.values().flatten().max() < Some(&(ROOMS as u64 * 42)), "all are in one partition");
}

/// The running archiver reads partitions that the bus grows by, and its marks hold after the rooms went back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_that_move_are_archived_once_and_in_order() {
    let (server, folder) = (NatsServer::start().await, tempfile::tempdir().unwrap());
    let bus = connect_patient(&server, 1, 4_000).await;
    for n in 0..ROOMS {
        let settings = RoomSettings::default();
        bus.change(Change::Room(room(&format!("r{n}")), settings)).await.unwrap();
    }
    let mover = tokio::spawn({
        let bus = Arc::clone(&bus);
        async move { bus.move_rooms().await }
    });
    let mut sent = Sent::new();
    for (round, partitions) in [3_u16, 1].into_iter().enumerate() {
        let store: Arc<dyn Store> = Arc::new(open_store(folder.path()).await);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(run(
            Arc::clone(&bus),
            Arc::clone(&store),
            config(),
            metrics(),
            Tracer::default(),
            shutdown.clone(),
        ));
        send(&bus, &mut sent, 5).await;
        bus.set_partitions(partitions).await.unwrap();
        wait::until_true(Duration::from_secs(60), "all rooms in their partitions", async || {
            bus.spread().rooms_to_move == 0
        })
        .await;
        send(&bus, &mut sent, 5).await;
        shutdown.cancel();
        let report = within("the end of the run", running).await.unwrap().unwrap();
        assert!(report.drained);
        assert_eq!(report.positions.len(), 3, "new partitions were not read");
        assert!(report.positions[1] > Sequence::ZERO && report.positions[2] > Sequence::ZERO);
        store.close().await;
        assert_eq!(kept(folder.path(), &sent).await, ROOMS * 10 * (round + 1));
    }
    mover.abort();
}
