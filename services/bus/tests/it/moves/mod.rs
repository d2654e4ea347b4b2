//! Rooms that move between partitions while people write.

#![allow(clippy::print_stdout, reason = "processes of a test tell what they do")]

mod child;
mod ledger;
mod throughput;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    Bus, BusConfig, Change, Log, NatsBus, NatsConfig, RangeLimits, RoomSettings, SettingsStore,
};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, RoomId, Sequence};
use barrage_testkit::{NatsServer, wait};

use self::child::Child;
use self::ledger::{Ledger, Watcher};
use crate::drafts::{draft, topic};
use crate::engine::{connect, metrics, nats_config};
use crate::suite::{next_message, read_all};

const WAIT_MAX: Duration = Duration::from_secs(60);

/// Connects a process whose publishes end soon, so that moves begin soon.
pub(crate) async fn hasty(url: String) -> Arc<NatsBus> {
    let config = NatsConfig {
        urls: vec![url.into()],
        stream_bytes_max: 256 << 20,
        ack_timeout_ms: 500,
        publish_deadline_ms: 3_000,
        reconnect_pause_ms_max: 100,
        ..NatsConfig::default()
    };
    // The gifts of a killed process may be posted again minutes later.
    let limits = BusConfig { dedup_secs: 3_600, ..BusConfig::default() };
    NatsBus::connect(config, limits, metrics()).await.unwrap()
}

async fn make_rooms(bus: &NatsBus, count: usize) -> Vec<RoomId> {
    let rooms: Vec<RoomId> = (0..count).map(|n| format!("r{n}").parse().unwrap()).collect();
    for room in &rooms {
        bus.change(Change::Room(room.clone(), RoomSettings::default())).await.unwrap();
    }
    rooms
}

/// Waits until all rooms are in their partitions.
async fn settled(bus: &NatsBus, most: Duration) {
    wait::until_true(most, "all rooms in their partitions", async || bus.spread().rooms_to_move == 0).await;
}

async fn post(bus: &NatsBus, room: &str, id: &str) -> (Sequence, bool) {
    let receipt = bus.publish(vec![draft(room, "u", id, Class::Gift)]).await.unwrap()[0];
    (receipt.sequence, receipt.duplicate)
}

/// Two processes, one that moves and one that reads; there and back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_room_goes_on_with_its_chain_its_ids_and_its_history() {
    const ROOMS: usize = 30;
    let server = NatsServer::start().await;
    let uplink = hasty(server.url()).await;
    let gateway = connect(&server, BusConfig::default()).await;
    make_rooms(&uplink, ROOMS).await;
    let name = |n: usize| format!("r{n}");
    let mut subscriptions = Vec::new();
    let mut sent: Vec<Vec<Sequence>> = vec![Vec::new(); ROOMS];
    for n in 0..ROOMS {
        subscriptions.push(gateway.subscribe(&topic(&name(n))).await.unwrap());
    }
    let mover = tokio::spawn({
        let uplink = Arc::clone(&uplink);
        async move { uplink.move_rooms().await }
    });
    for (round, partitions) in [1_u16, 3, 4, 1, 2].into_iter().enumerate() {
        if round > 0 {
            uplink.set_partitions(partitions).await.unwrap();
            settled(&uplink, WAIT_MAX).await;
        }
        for (n, sent) in sent.iter_mut().enumerate() {
            for part in 0..3 {
                let (sequence, is_duplicate) = post(&uplink, &name(n), &format!("m{round}-{part}")).await;
                assert!(
                    !is_duplicate && sent.last().is_none_or(|last| *last < sequence),
                    "{sent:?} {sequence}"
                );
                sent.push(sequence);
            }
            // The first post of all, again: it was accepted in another partition.
            assert_eq!(post(&uplink, &name(n), "m0-1").await, (sent[1], true));
            let package = (0..2).map(|part| draft(&name(n), "u", &format!("p{round}-{part}"), Class::Gift));
            let package: Vec<_> = package.chain([draft(&name(n), "u", "m0-2", Class::Gift)]).collect();
            let receipts = uplink.publish(package).await.unwrap();
            assert_eq!((receipts[2].sequence, receipts[2].duplicate), (sent[2], true));
            sent.extend(receipts[..2].iter().map(|receipt| receipt.sequence));
        }
    }
    mover.abort();
    let spread = uplink.spread();
    assert_eq!((uplink.partitions(), spread.partitions, spread.rooms.len()), (4, 2, 4));
    assert_eq!((spread.rooms[2], spread.rooms[3]), (0, 0));
    assert!(spread.rooms[0] > 0 && spread.rooms[1] > 0, "{spread:?}");

    let fresh = connect(&server, BusConfig::default()).await;
    for (n, sent) in sent.iter().enumerate() {
        let (topic, mut last) = (topic(&name(n)), Sequence::ZERO);
        for expected in sent {
            let message = next_message(&mut subscriptions[n]).await;
            assert_eq!((message.previous, message.sequence), (last, *expected));
            last = message.sequence;
        }
        assert_eq!(gateway.last(&topic).await.unwrap(), last);
        // From every position, in a process that has seen nothing of the moves.
        for (seen, after) in [Sequence::ZERO].into_iter().chain(sent.iter().copied()).enumerate() {
            let range = fresh.range(&topic, after, None, RangeLimits::default()).await.unwrap();
            let got: Vec<_> = range.messages.iter().map(|message| message.sequence).collect();
            assert_eq!((range.outcome, got.as_slice()), (RepairOutcome::Complete, &sent[seen..]));
            assert_eq!(range.covered_to, last);
        }
        let beyond = fresh.range(&topic, Sequence(last.0 + 1), None, RangeLimits::default()).await.unwrap();
        assert_eq!(beyond.outcome, RepairOutcome::Gone);
    }
    let archived: HashSet<_> =
        read_all(&*fresh, 10_000).await.iter().map(|it| (it.room.clone(), it.sequence)).collect();
    assert_eq!(archived.len(), sent.iter().map(Vec::len).sum::<usize>());
    let _: Arc<dyn Bus> = fresh;
}

/// A process that closed a room and died leaves a room that nobody moves on: whoever posts does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_was_left_half_way_is_finished_by_a_post() {
    let server = NatsServer::start().await;
    let (uplink, gateway) = (hasty(server.url()).await, connect(&server, BusConfig::default()).await);
    make_rooms(&uplink, 1).await;
    let mut subscription = gateway.subscribe(&topic("r0")).await.unwrap();
    uplink.set_partitions(2).await.unwrap();
    let first = post(&uplink, "r0", "a").await.0;
    // What a mover writes before it dies.
    let client = async_nats::connect(server.url()).await.unwrap();
    let order = serde_json::json!({ "epoch": 1, "to": 1 }).to_string();
    let context = async_nats::jetstream::new(client);
    let subjects = std::iter::once("gate".to_owned()).chain((1..=16).map(|lane| format!("lane.{lane}")));
    for subject in subjects {
        let subject = format!("barrage.in.{subject}.room.r0");
        context.publish(subject, order.clone().into()).await.unwrap().await.unwrap();
    }
    let began = barrage_clock::now();
    let (second, is_duplicate) = post(&uplink, "r0", "b").await;
    assert!(!is_duplicate && second > first);
    assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
    let (seen, next) = (next_message(&mut subscription).await, next_message(&mut subscription).await);
    assert_eq!((seen.sequence, next.previous, next.sequence), (first, first, second));
    assert_eq!(gateway.spread().rooms, [0, 1]);
}

/// Publishes of one room side by side, in replicated streams, where a condition is checked one at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replicated_room_moves_under_publishes_side_by_side() {
    let servers = NatsServer::start_cluster().await;
    let config = NatsConfig {
        replicas: 3,
        publish_deadline_ms: 5_000,
        start_deadline_ms: 30_000,
        ack_timeout_ms: 2_000,
        ..nats_config(&servers[0])
    };
    let open = async || NatsBus::connect(config.clone(), BusConfig::default(), metrics()).await.unwrap();
    let (uplink, gateway) = (open().await, open().await);
    make_rooms(&uplink, 4).await;
    let mut watcher = Watcher::start(&gateway, &make_rooms(&uplink, 4).await).await;
    uplink.set_partitions(2).await.unwrap();
    let mover = tokio::spawn({
        let uplink = Arc::clone(&uplink);
        async move { uplink.move_rooms().await }
    });
    let mut posters = Vec::new();
    for sender in 0..32 {
        let uplink = Arc::clone(&uplink);
        posters.push(tokio::spawn(async move {
            let mut ledger = Ledger::default();
            let began = barrage_clock::now();
            let mut n = 0;
            while began.elapsed() < Duration::from_secs(10) {
                let (room, id) = (format!("r{}", n % 4), format!("u{sender}-{n}"));
                ledger.tried(&room, &id);
                let sequence = post(&uplink, &room, &id).await.0;
                ledger.accepted(&room, &id, sequence);
                n += 1;
            }
            ledger
        }));
    }
    let mut all = Ledger::default();
    for poster in posters {
        all.merge(poster.await.unwrap());
    }
    settled(&gateway, WAIT_MAX).await;
    mover.abort();
    let moved = gateway.spread().rooms;
    assert!(moved[1] > 0, "{moved:?}");
    all.check(&*gateway).await;
    watcher.check(&all).await;
}

/// Processes that post, that move and that read are killed at random while all rooms move.
async fn storm(rooms: usize, rate: u64, secs: u64) {
    let server = NatsServer::start().await;
    let parent = hasty(server.url()).await;
    let all_rooms = make_rooms(&parent, rooms).await;
    let mut watcher = Watcher::start(&parent, &all_rooms).await;
    let mut ledger = Ledger::default();
    let spawn_poster = |name: String| Child::start(&server.url(), "poster", &name, rooms, rate / 4);
    let mut posters: Vec<_> = (0..4).map(|n| spawn_poster(format!("p{n}"))).collect();
    let mut movers: Vec<_> =
        (0..2).map(|n| Child::start(&server.url(), "mover", &format!("v{n}"), rooms, 0)).collect();
    let mut readers = vec![Child::start(&server.url(), "reader", "g0", rooms, 0)];
    parent.set_partitions(4).await.unwrap();
    // The first move waits for the publishes that have no condition yet.
    wait::until_true(WAIT_MAX, "a room that has moved", async || {
        parent.spread().rooms[1..].iter().sum::<usize>() > 0
    })
    .await;
    let (began, mut kills) = (barrage_clock::now(), 0_usize);
    let mut wanted = [2_u16, 4, 3].into_iter().cycle();
    let mut changed = began;
    while began.elapsed() < Duration::from_secs(secs) {
        tokio::time::sleep(Duration::from_millis(350)).await;
        kills += 1;
        let name = format!("k{kills}");
        match kills % 4 {
            0 => {
                let place = kills / 4 % posters.len();
                posters[place].kill(&mut ledger).await;
                posters[place] = spawn_poster(name);
            }
            1 | 3 => {
                let place = kills / 2 % movers.len();
                movers[place].kill(&mut ledger).await;
                movers[place] = Child::start(&server.url(), "mover", &name, rooms, 0);
            }
            _ => {
                readers[0].kill(&mut ledger).await;
                readers[0] = Child::start(&server.url(), "reader", &name, rooms, 0);
            }
        }
        if changed.elapsed() > Duration::from_secs(secs / 3) {
            changed = barrage_clock::now();
            parent.set_partitions(wanted.next().unwrap()).await.unwrap();
        }
    }
    for child in posters.iter_mut().chain(&mut readers) {
        child.kill(&mut ledger).await;
    }
    let last_movers = barrage_clock::now();
    // Each move waits for the publishes to its room, and two processes move.
    settled(&parent, Duration::from_secs(110 + rooms as u64 / 4)).await;
    for child in &mut movers {
        child.kill(&mut ledger).await;
    }
    let unsure = ledger.repost_unsure(&parent).await;
    let spread = parent.spread();
    println!(
        "{} gifts tried, {} of killed processes posted again, {kills} kills, rooms {:?}, settled {:?} after",
        ledger.len(),
        unsure,
        spread.rooms,
        last_movers.elapsed()
    );
    println!("posts {}", ledger.times());
    ledger.check(&*parent).await;
    watcher.check(&ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_rooms_move_under_gifts_and_kills() {
    storm(40, 100, 5).await;
}

/// The full form: `cargo nextest run -p barrage-bus --run-ignored all thousand`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes six minutes"]
async fn a_thousand_rooms_move_under_gifts_and_kills() {
    storm(1_000, 500, 60).await;
}

/// The body of the processes that [`Child`] starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests start it"]
async fn child_process() {
    child::run().await;
}
