//! What every bus engine must do, run on the embedded one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use barrage_bus::{
    Bus, BusConfig, BusError, BusMetrics, Change, Draft, EmbeddedBus, Event, RangeLimits, RoomSettings, Topic,
};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Sequence};

fn open(path: &Path, config: BusConfig) -> Arc<dyn Bus> {
    let metrics = BusMetrics::new(&prometheus::Registry::new()).unwrap();
    EmbeddedBus::open(path, config, metrics).unwrap()
}

fn draft(room: &str, sender: &str, id: &str, class: Class) -> Draft {
    Draft {
        room: room.parse().unwrap(),
        class,
        sender: Some(sender.parse().unwrap()),
        id: Some(id.parse().unwrap()),
        fingerprint: 1,
        to: None,
        body: format!(r#"{{"id":"{id}"}}"#).into(),
    }
}

fn topic(room: &str) -> Topic {
    Topic::Room(room.parse().unwrap())
}

#[tokio::test]
async fn the_chain_of_each_room_closes_and_a_subscriber_gets_all_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let bus = open(&dir.path().join("bus.sqlite"), BusConfig::default());
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    for n in 0..50 {
        let room = if n % 3 == 0 { "b" } else { "a" };
        bus.publish(vec![draft(room, "u", &format!("m{n}"), Class::Chat)]).await.unwrap();
    }
    let mut last = subscription.start;
    for _ in 0..33 {
        let Some(Event::Message(message)) = subscription.next().await else { panic!("no message") };
        assert_eq!(message.previous, last);
        last = message.sequence;
    }
    assert_eq!(last, bus.last(&topic("a")).await.unwrap());
}

#[tokio::test]
async fn an_id_is_one_message_for_its_sender_and_room_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bus.sqlite");
    let bus = open(&path, BusConfig::default());
    let first = bus.publish(vec![draft("a", "u1", "x", Class::Gift)]).await.unwrap()[0];
    let again = bus.publish(vec![draft("a", "u1", "x", Class::Gift)]).await.unwrap()[0];
    assert!(!first.duplicate && again.duplicate);
    assert_eq!(first.sequence, again.sequence);
    assert!(!bus.publish(vec![draft("a", "u2", "x", Class::Gift)]).await.unwrap()[0].duplicate);
    assert!(!bus.publish(vec![draft("b", "u1", "x", Class::Gift)]).await.unwrap()[0].duplicate);
    let other = Draft { fingerprint: 2, ..draft("a", "u1", "x", Class::Gift) };
    assert_eq!(bus.publish(vec![other]).await, Err(BusError::Conflict));
    drop(bus);
    let reopened = open(&path, BusConfig::default());
    let after_restart = reopened.publish(vec![draft("a", "u1", "x", Class::Gift)]).await.unwrap()[0];
    assert!(after_restart.duplicate);
    assert_eq!(after_restart.sequence, first.sequence);
}

#[tokio::test]
async fn ten_thousand_posts_under_one_id_are_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let bus = open(&dir.path().join("bus.sqlite"), BusConfig::default());
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let bus = Arc::clone(&bus);
        posts.spawn(async move {
            let mut fresh = 0;
            for _ in 0..1000 {
                fresh += usize::from(
                    !bus.publish(vec![draft("a", "u", "x", Class::Gift)]).await.unwrap()[0].duplicate,
                );
            }
            fresh
        });
    }
    assert_eq!(posts.join_all().await.into_iter().sum::<usize>(), 1);
    assert_eq!(bus.read_all(Sequence::ZERO, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_package_is_consecutive_or_not_there_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let bus = open(&dir.path().join("bus.sqlite"), BusConfig::default());
    bus.publish(vec![draft("a", "u", "taken", Class::Chat)]).await.unwrap();
    let conflicting = Draft { fingerprint: 9, ..draft("a", "u", "taken", Class::Chat) };
    let refused = bus.publish(vec![draft("a", "u", "p1", Class::Chat), conflicting]).await;
    assert_eq!(refused, Err(BusError::Conflict));
    let receipts = bus
        .publish(vec![
            draft("a", "u", "p1", Class::Chat),
            draft("a", "u", "p2", Class::Gift),
            draft("a", "u", "p1", Class::Chat),
        ])
        .await
        .unwrap();
    assert!(!receipts[0].duplicate && !receipts[1].duplicate && receipts[2].duplicate);
    assert_eq!(receipts[1].sequence.0, receipts[0].sequence.0 + 1);
    assert_eq!(bus.read_all(Sequence::ZERO, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_restart_keeps_the_chain_settings_and_what_can_be_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bus.sqlite");
    let bus = open(&path, BusConfig::default());
    let room = "a".parse().unwrap();
    let settings = RoomSettings { title: "A".into(), ..RoomSettings::default() };
    bus.change(Change::Room(room, settings.clone())).await.unwrap();
    let mut last = Sequence::ZERO;
    for n in 0..20 {
        last = bus.publish(vec![draft("a", "u", &format!("m{n}"), Class::Gift)]).await.unwrap()[0].sequence;
    }
    drop(bus);
    let bus = open(&path, BusConfig::default());
    assert_eq!(bus.settings().borrow().rooms["a".parse().as_ref().unwrap()], settings);
    let range = bus.range(&topic("a"), Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
    assert_eq!((range.outcome, range.messages.len(), range.covered_to), (RepairOutcome::Complete, 20, last));
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    let next = bus.publish(vec![draft("a", "u", "after", Class::Gift)]).await.unwrap()[0].sequence;
    assert!(next > last);
    let Some(Event::Message(message)) = subscription.next().await else { panic!("no message") };
    assert_eq!(message.previous, last);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_and_can_repair() {
    let dir = tempfile::tempdir().unwrap();
    let config = BusConfig { subscriber_lag_max: 8, ..BusConfig::default() };
    let bus = open(&dir.path().join("bus.sqlite"), config);
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    for n in 0..40 {
        bus.publish(vec![draft("a", "u", &format!("m{n}"), Class::Gift)]).await.unwrap();
    }
    assert!(matches!(subscription.next().await, Some(Event::Lagged)));
    let range = bus.range(&topic("a"), subscription.start, None, RangeLimits::default()).await.unwrap();
    assert_eq!(range.messages.len(), 40);
}

#[tokio::test]
async fn a_thousand_rooms_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let bus = open(&dir.path().join("bus.sqlite"), BusConfig::default());
    let mut rooms = tokio::task::JoinSet::new();
    for r in 0..1000 {
        let bus = Arc::clone(&bus);
        rooms.spawn(async move {
            let name = format!("room{r}");
            let mut subscription = bus.subscribe(&topic(&name)).await.unwrap();
            for n in 0..5 {
                bus.publish(vec![draft(&name, "u", &format!("m{n}"), Class::Chat)]).await.unwrap();
            }
            let mut previous = Sequence::ZERO;
            for _ in 0..5 {
                let Some(Event::Message(message)) = subscription.next().await else { panic!("no message") };
                assert_eq!((message.room.as_str(), message.previous), (name.as_str(), previous));
                previous = message.sequence;
            }
        });
    }
    rooms.join_all().await;
    assert_eq!(bus.read_all(Sequence::ZERO, 10_000).await.unwrap().len(), 5000);
}
