//! Repair of what a subscriber has missed, by ranges.

use std::time::Duration;

use barrage_bus::{BusConfig, Change, Event, RangeLimits, RoomSettings};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Sequence};

use super::{WAIT_MAX, next, next_message, publish_one};
use crate::drafts::{draft, topic};
use crate::engine::Engine;

pub(crate) async fn a_restart_keeps_chain_settings_and_repairable_messages<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let settings = RoomSettings { title: "A".into(), ..RoomSettings::default() };
    bus.change(Change::Room("a".parse().unwrap(), settings.clone())).await.unwrap();
    let mut last = Sequence::ZERO;
    for n in 0..20 {
        last = publish_one(&*bus, draft("a", "u", &format!("m{n}"), Class::Gift)).await;
    }
    drop(bus);
    let engine = engine.restart().await;
    let bus = engine.bus();
    assert_eq!(bus.settings().borrow().rooms[&"a".parse().unwrap()].title, settings.title);
    let range = bus.range(&topic("a"), Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
    assert_eq!((range.outcome, range.messages.len(), range.covered_to), (RepairOutcome::Complete, 20, last));
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    let next = publish_one(&*bus, draft("a", "u", "after", Class::Gift)).await;
    assert!(next > last);
    assert_eq!(next_message(&mut subscription).await.previous, last);
}

pub(crate) async fn a_slow_subscriber_receives_lagged_and_can_repair<E: Engine>() {
    let config = BusConfig { subscriber_lag_max: 8, ..BusConfig::default() };
    let engine = E::start(config).await;
    let bus = engine.bus();
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    for n in 0..40 {
        bus.publish(vec![draft("a", "u", &format!("m{n}"), Class::Gift)]).await.unwrap();
    }
    let start = subscription.start;
    let all_here = async {
        while bus.range(&topic("a"), start, None, RangeLimits::default()).await.unwrap().messages.len() < 40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, all_here).await.expect("the subscriber's range is not whole");
    assert!(matches!(next(&mut subscription).await, Event::Lagged));
}

/// Subscribers join at any time; each gets everything after its start, in order.
pub(crate) async fn a_subscription_made_while_publishing_misses_nothing<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let publishing = {
        let bus = engine.bus();
        tokio::spawn(async move {
            for n in 0..400 {
                bus.publish(vec![draft("a", "u", &format!("m{n}"), Class::Gift)]).await.unwrap();
            }
        })
    };
    let mut subscribers = tokio::task::JoinSet::new();
    while !publishing.is_finished() {
        let mut subscription = engine.bus().subscribe(&topic("a")).await.unwrap();
        let bus = engine.bus();
        subscribers.spawn(async move {
            let mut last = subscription.start;
            for _ in 0..5 {
                let Ok(Some(Event::Message(message))) =
                    tokio::time::timeout(Duration::from_secs(2), subscription.next()).await
                else {
                    // The publisher may have ended before the fifth.
                    assert_eq!(last, bus.last(&topic("a")).await.unwrap());
                    return;
                };
                assert_eq!(message.previous, last);
                last = message.sequence;
            }
        });
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    publishing.await.unwrap();
    assert!(subscribers.len() > 3);
    subscribers.join_all().await;
}

pub(crate) async fn a_repair_returns_all_gifts_and_the_newest_chat<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let mut sequences = Vec::new();
    for n in 0..60 {
        let class = if n % 10 == 0 { Class::Gift } else { Class::Chat };
        sequences.push(publish_one(&*bus, draft("a", "u", &format!("m{n}"), class)).await);
        publish_one(&*bus, draft("b", "u", &format!("m{n}"), class)).await;
    }
    let limits = RangeLimits { chat_max: 7, precious_max: 100, ..RangeLimits::default() };
    let range = bus.range(&topic("a"), Sequence::ZERO, None, limits).await.unwrap();
    assert_eq!((range.outcome, range.skipped, range.messages.len()), (RepairOutcome::Partial, 47, 13));
    assert!(range.messages.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    assert_eq!(range.covered_to, sequences[59]);
    let middle = bus.range(&topic("a"), sequences[9], Some(sequences[15]), limits).await.unwrap();
    let got: Vec<_> = middle.messages.iter().map(|message| message.sequence).collect();
    assert_eq!((middle.outcome, &got[..]), (RepairOutcome::Complete, &sequences[10..15]));
    assert_eq!(middle.covered_to.0, sequences[15].0 - 1);
    let beyond = Sequence(sequences[59].0 + 1_000);
    let gone = bus.range(&topic("a"), beyond, None, limits).await.unwrap();
    assert_eq!((gone.outcome, gone.messages.len()), (RepairOutcome::Gone, 0));
    let nothing = bus.range(&topic("a"), sequences[59], None, limits).await.unwrap();
    assert_eq!((nothing.outcome, nothing.messages.len()), (RepairOutcome::Complete, 0));
}

pub(crate) async fn a_repair_in_parts_covers_the_whole_range<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let package = (0..700).map(|n| draft("a", "u", &format!("m{n}"), Class::Gift)).collect();
    bus.publish(package).await.unwrap();
    let limits = RangeLimits { chat_max: 10, precious_max: 300, ..RangeLimits::default() };
    let (mut position, mut seen, mut parts) = (Sequence::ZERO, 0, 0);
    loop {
        let range = bus.range(&topic("a"), position, None, limits).await.unwrap();
        if range.covered_to == position {
            break;
        }
        assert!(range.messages.iter().all(|message| message.sequence > position));
        (position, seen, parts) = (range.covered_to, seen + range.messages.len(), parts + 1);
    }
    assert_eq!((seen, parts), (700, 3));
}

pub(crate) async fn messages_older_than_retention_are_gone<E: Engine>() {
    let config = BusConfig { retention_secs: 1, dedup_secs: 1, log_secs: 1, ..BusConfig::default() };
    let engine = E::start(config).await;
    let bus = engine.bus();
    let first = publish_one(&*bus, draft("a", "u", "first", Class::Gift)).await;
    publish_one(&*bus, draft("a", "u", "second", Class::Gift)).await;
    let gone = async {
        for n in 0.. {
            let last = publish_one(&*bus, draft("a", "u", &format!("m{n}"), Class::Gift)).await;
            let range = bus.range(&topic("a"), Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
            assert_eq!(range.covered_to, last);
            if range.outcome == RepairOutcome::Gone {
                return;
            }
            assert_eq!((range.outcome, range.messages[0].sequence), (RepairOutcome::Complete, first));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, gone).await.expect("no message expired");
}
