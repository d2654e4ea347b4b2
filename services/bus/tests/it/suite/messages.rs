//! Publishing, subscribing and reading.

use std::collections::{HashMap, HashSet};

use barrage_bus::{BusConfig, BusError, Draft, Event, PulseDraft, RangeLimits, Stored, Topic};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::poll::PollCounts;
use barrage_protocol::{Class, RoomId, Sequence, SpanId, TraceContext, TraceId};

use super::{WAIT_MAX, next, next_message, publish_one, read_all};
use crate::drafts::{draft, topic};
use crate::engine::Engine;

pub(crate) async fn a_subscriber_receives_all_messages_of_its_room_as_a_closed_chain<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    for n in 0..50 {
        let room = if n % 3 == 0 { "b" } else { "a" };
        bus.publish(vec![draft(room, "u", &format!("m{n}"), Class::Chat)]).await.unwrap();
    }
    let mut last = subscription.start;
    for _ in 0..33 {
        let message = next_message(&mut subscription).await;
        assert_eq!(message.previous, last);
        last = message.sequence;
    }
    assert_eq!(last, bus.last(&topic("a")).await.unwrap());
}

pub(crate) async fn the_trace_of_a_sampled_message_travels_with_it<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    let trace = Some(Box::new(TraceContext { trace: TraceId::of(7 << 70), span: SpanId::of(9 << 50) }));
    let sampled = Draft { trace: trace.clone(), ..draft("a", "u", "m1", Class::Gift) };
    bus.publish(vec![sampled, draft("a", "u", "m2", Class::Gift)]).await.unwrap();
    assert_eq!(next_message(&mut subscription).await.trace, trace);
    assert_eq!(next_message(&mut subscription).await.trace, None);
    drop((bus, subscription));
    let engine = engine.restart().await;
    let all = read_all(&*engine.bus(), 10).await;
    assert_eq!(all.iter().map(|message| message.trace.clone()).collect::<Vec<_>>(), [trace, None]);
}

pub(crate) async fn an_id_identifies_a_message_of_its_sender_in_its_room_only<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let first = bus.publish(vec![draft("a", "u1", "x", Class::Gift)]).await.unwrap()[0];
    let again = bus.publish(vec![draft("a", "u1", "x", Class::Gift)]).await.unwrap()[0];
    assert!(!first.duplicate && again.duplicate);
    assert!(first.at_ms > 0 && again.at_ms == 0);
    assert_eq!(first.sequence, again.sequence);
    assert!(!bus.publish(vec![draft("a", "u2", "x", Class::Gift)]).await.unwrap()[0].duplicate);
    assert!(!bus.publish(vec![draft("b", "u1", "x", Class::Gift)]).await.unwrap()[0].duplicate);
    let other = Draft { fingerprint: 2, ..draft("a", "u1", "x", Class::Gift) };
    assert_eq!(bus.publish(vec![other]).await, Err(BusError::Conflict));
    let nameless = Draft { id: None, ..draft("a", "u1", "x", Class::Gift) };
    for _ in 0..2 {
        assert!(!bus.publish(vec![nameless.clone()]).await.unwrap()[0].duplicate);
    }
    drop(bus);
    let engine = engine.restart().await;
    let after_restart = engine.bus().publish(vec![draft("a", "u1", "x", Class::Gift)]).await.unwrap()[0];
    assert!(after_restart.duplicate);
    assert_eq!(after_restart.sequence, first.sequence);
}

pub(crate) async fn a_thousand_posts_under_one_id_are_one_message<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let bus = engine.bus();
        posts.spawn(async move {
            let mut fresh = 0;
            for _ in 0..100 {
                let receipt = bus.publish(vec![draft("a", "u", "x", Class::Gift)]).await.unwrap()[0];
                fresh += usize::from(!receipt.duplicate);
            }
            fresh
        });
    }
    assert_eq!(posts.join_all().await.into_iter().sum::<usize>(), 1);
    assert_eq!(read_all(&*engine.bus(), 10).await.len(), 1);
}

pub(crate) async fn a_package_gets_consecutive_positions_or_none<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    bus.publish(vec![draft("a", "u", "taken", Class::Chat)]).await.unwrap();
    let conflicting = Draft { fingerprint: 9, ..draft("a", "u", "taken", Class::Chat) };
    let refused = bus.publish(vec![draft("a", "u", "p1", Class::Chat), conflicting]).await;
    assert_eq!(refused, Err(BusError::Conflict));
    assert_eq!(read_all(&*bus, 10).await.len(), 1);
    let mut others = tokio::task::JoinSet::new();
    for n in 0..20 {
        let bus = engine.bus();
        others.spawn(async move {
            bus.publish(vec![draft("a", "v", &format!("o{n}"), Class::Chat)]).await.unwrap();
        });
    }
    let receipts = bus
        .publish(vec![
            draft("a", "u", "p1", Class::Chat),
            draft("a", "u", "p2", Class::Gift),
            draft("a", "u", "taken", Class::Chat),
            draft("a", "u", "p1", Class::Chat),
            draft("a", "u", "p3", Class::Gift),
        ])
        .await
        .unwrap();
    let duplicates: Vec<_> = receipts.iter().map(|receipt| receipt.duplicate).collect();
    assert_eq!(duplicates, [false, false, true, true, false]);
    assert_eq!(receipts[1].sequence.0, receipts[0].sequence.0 + 1);
    assert_eq!(receipts[3].sequence, receipts[0].sequence);
    assert_eq!(receipts[4].sequence.0, receipts[0].sequence.0 + 2);
    others.join_all().await;
    assert_eq!(read_all(&*bus, 100).await.len(), 24);
}

pub(crate) async fn a_package_posted_again_is_answered_as_duplicates<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let package = || (0..5).map(|n| draft("a", "u", &format!("p{n}"), Class::Gift)).collect::<Vec<_>>();
    let first = bus.publish(package()).await.unwrap();
    let again = bus.publish(package()).await.unwrap();
    assert!(first.iter().all(|receipt| !receipt.duplicate) && again.iter().all(|receipt| receipt.duplicate));
    assert!(first.iter().zip(&again).all(|(a, b)| a.sequence == b.sequence));
    let other = Draft { fingerprint: 2, ..draft("a", "u", "q", Class::Gift) };
    let twice = bus.publish(vec![draft("a", "u", "q", Class::Gift), other]).await;
    assert_eq!(twice, Err(BusError::Conflict));
    assert!(bus.publish(Vec::new()).await.unwrap().is_empty());
}

pub(crate) async fn drafts_of_several_topics_are_refused<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let direct = Draft { to: Some("w".parse().unwrap()), ..draft("a", "u", "m2", Class::Signal) };
    for other in [draft("b", "u", "m2", Class::Chat), direct] {
        let refused = bus.publish(vec![draft("a", "u", "m1", Class::Chat), other]).await;
        assert_eq!(refused, Err(BusError::SeveralTopics));
    }
    assert!(read_all(&*bus, 10).await.is_empty());
}

pub(crate) async fn a_message_for_one_user_is_not_in_the_room<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let mut room = bus.subscribe(&topic("a")).await.unwrap();
    let mut direct = bus.subscribe(&Topic::Direct).await.unwrap();
    let to = Some("w".parse().unwrap());
    let notice = Draft { to: to.clone(), ..draft("a", "u", "n", Class::Signal) };
    publish_one(&*bus, notice).await;
    publish_one(&*bus, draft("a", "u", "c", Class::Chat)).await;
    let got = next_message(&mut direct).await;
    assert_eq!((&got.to, got.id.as_ref().unwrap().as_str()), (&to, "n"));
    let got = next_message(&mut room).await;
    assert_eq!((&got.to, got.id.as_ref().unwrap().as_str()), (&None, "c"));
    assert_eq!(got.body, r#"{"id":"c"}"#);
    assert_eq!(got.sender.as_ref().unwrap().as_str(), "u");
    assert_eq!(read_all(&*bus, 10).await.len(), 1);
    let range = bus.range(&Topic::Direct, Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
    assert_eq!((range.outcome, range.messages.len()), (RepairOutcome::Complete, 1));
}

pub(crate) async fn pulses_reach_the_room_without_a_position<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    let pulse = PulseDraft {
        likes: 3,
        entries: 1,
        reactions: [("fire".to_owned(), 2)].into(),
        poll: Some(PollCounts { id: "p".parse().unwrap(), votes: vec![4, 5] }),
        offered: 90,
        shown: 50,
    };
    bus.pulse(&"b".parse().unwrap(), PulseDraft { likes: 9, entries: 9, ..PulseDraft::default() });
    bus.pulse(&"a".parse().unwrap(), pulse.clone());
    assert!(matches!(next(&mut subscription).await, Event::Pulse(got) if *got == pulse));
    assert_eq!(bus.last(&topic("a")).await.unwrap(), Sequence::ZERO);
}

pub(crate) async fn read_all_returns_each_partition_in_order<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let mut tails: Vec<_> = (0..bus.partitions()).map(|partition| bus.tail(partition)).collect();
    let mut published: HashMap<RoomId, Vec<Sequence>> = HashMap::new();
    for n in 0..60 {
        let room = format!("r{}", n % 14);
        let package = (0..20).map(|i| draft(&room, "u", &format!("m{n}-{i}"), Class::Chat));
        let receipts = bus.publish(package.collect()).await.unwrap();
        let places = receipts.iter().map(|receipt| receipt.sequence);
        published.entry(room.parse().unwrap()).or_default().extend(places);
    }
    let mut read: HashMap<RoomId, Vec<Sequence>> = HashMap::new();
    for (partition, tail) in (0..).zip(&mut tails) {
        let mut position = Sequence::ZERO;
        loop {
            let batch = bus.read_all(partition, position, 300).await.unwrap();
            assert!(batch.len() <= 300);
            for Stored { at, message } in &batch {
                assert!(*at > position, "positions must grow");
                position = *at;
                read.entry(message.room.clone()).or_default().push(message.sequence);
            }
            if batch.is_empty() {
                break;
            }
        }
        assert!(position > Sequence::ZERO, "partition {partition} has no room");
        let reached = tokio::time::timeout(WAIT_MAX, tail.wait_for(|tail| *tail >= position)).await;
        reached.expect("the tail did not advance").unwrap();
    }
    assert_eq!(read, published);
}

pub(crate) async fn a_thousand_rooms_are_served_at_once<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let mut rooms = tokio::task::JoinSet::new();
    for r in 0..1000 {
        let bus = engine.bus();
        rooms.spawn(async move {
            let name = format!("room{r}");
            let mut subscription = bus.subscribe(&topic(&name)).await.unwrap();
            for n in 0..5 {
                bus.publish(vec![draft(&name, "u", &format!("m{n}"), Class::Chat)]).await.unwrap();
            }
            let mut previous = Sequence::ZERO;
            for _ in 0..5 {
                let message = next_message(&mut subscription).await;
                assert_eq!((message.room.as_str(), message.previous), (name.as_str(), previous));
                previous = message.sequence;
            }
        });
    }
    rooms.join_all().await;
    let all = read_all(&*engine.bus(), 10_000).await;
    let distinct: HashSet<_> = all.iter().map(|message| (&message.room, message.sequence)).collect();
    assert_eq!((all.len(), distinct.len()), (5000, 5000));
}
