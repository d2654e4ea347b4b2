//! What every bus engine must do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    Bus, BusConfig, BusError, Change, ChangeError, Draft, Event, Prewarm, PulseDraft, RangeLimits,
    Restriction, RestrictionKind, RoomPatch, RoomSettings, Subscription, Topic,
};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Message, RoomId, Sequence};

use crate::drafts::{draft, topic};
use crate::engine::Engine;

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) async fn next(subscription: &mut Subscription) -> Event {
    let event = tokio::time::timeout(PATIENCE, subscription.next()).await;
    event.expect("nothing arrived").expect("the bus is gone")
}

pub(crate) async fn next_message(subscription: &mut Subscription) -> Arc<Message> {
    match next(subscription).await {
        Event::Message(message) => message,
        other => panic!("{other:?} in place of a message"),
    }
}

/// Room messages of all partitions from their beginning, up to `limit` of each.
pub(crate) async fn read_all(bus: &dyn Bus, limit: usize) -> Vec<Arc<Message>> {
    let mut all = Vec::new();
    for partition in 0..bus.partitions() {
        all.extend(bus.read_all(partition, Sequence::ZERO, limit).await.unwrap());
    }
    all
}

async fn publish_one(bus: &dyn Bus, draft: Draft) -> Sequence {
    bus.publish(vec![draft]).await.unwrap()[0].sequence
}

pub(crate) async fn the_chain_of_each_room_closes_and_a_subscriber_gets_all_in_order<E: Engine>() {
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

pub(crate) async fn an_id_is_one_message_for_its_sender_and_room_alone<E: Engine>() {
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

pub(crate) async fn a_package_is_consecutive_or_not_there_at_all<E: Engine>() {
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

pub(crate) async fn a_package_posted_again_is_all_duplicates<E: Engine>() {
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

pub(crate) async fn a_restart_keeps_the_chain_settings_and_what_can_be_repaired<E: Engine>() {
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
    assert_eq!(bus.settings().borrow().rooms[&"a".parse().unwrap()], settings);
    let range = bus.range(&topic("a"), Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
    assert_eq!((range.outcome, range.messages.len(), range.covered_to), (RepairOutcome::Complete, 20, last));
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    let next = publish_one(&*bus, draft("a", "u", "after", Class::Gift)).await;
    assert!(next > last);
    assert_eq!(next_message(&mut subscription).await.previous, last);
}

pub(crate) async fn a_slow_subscriber_is_told_and_can_repair<E: Engine>() {
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
    tokio::time::timeout(PATIENCE, all_here).await.expect("the subscriber's range is not whole");
    assert!(matches!(next(&mut subscription).await, Event::Lagged));
}

/// Subscribers join at any time; each gets everything after its start, in order.
pub(crate) async fn a_subscription_while_publishing_misses_nothing<E: Engine>() {
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

pub(crate) async fn a_repair_keeps_gifts_and_the_newest_chat<E: Engine>() {
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

pub(crate) async fn a_repair_in_parts_covers_everything<E: Engine>() {
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

pub(crate) async fn what_is_older_than_kept_is_gone<E: Engine>() {
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
    tokio::time::timeout(PATIENCE, gone).await.expect("nothing expires");
}

pub(crate) async fn a_message_for_one_user_stays_out_of_the_room<E: Engine>() {
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

pub(crate) async fn pulses_reach_the_room_and_have_no_place<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let mut subscription = bus.subscribe(&topic("a")).await.unwrap();
    let pulse = PulseDraft { likes: 3, entries: 1 };
    bus.pulse(&"b".parse().unwrap(), PulseDraft { likes: 9, entries: 9 });
    bus.pulse(&"a".parse().unwrap(), pulse);
    assert!(matches!(next(&mut subscription).await, Event::Pulse(got) if got == pulse));
    assert_eq!(bus.last(&topic("a")).await.unwrap(), Sequence::ZERO);
}

pub(crate) async fn settings_are_in_force_when_the_change_returns<E: Engine>() {
    let config = BusConfig { rooms_max: 2, restrictions_max: 2, ..BusConfig::default() };
    let engine = E::start(config).await;
    let bus = engine.bus();
    let settings = bus.settings();
    let room = |name: &str| name.parse::<barrage_protocol::RoomId>().unwrap();
    for (n, name) in ["a", "b", "a"].iter().enumerate() {
        let value = RoomSettings { slow_mode_secs: u32::try_from(n).unwrap(), ..RoomSettings::default() };
        bus.change(Change::Room(room(name), value.clone())).await.unwrap();
        assert_eq!(settings.borrow().rooms[&room(name)], value);
    }
    let third = Change::Room(room("c"), RoomSettings::default());
    assert_eq!(bus.change(third).await, Err(BusError::Full("room")));

    let user = |name: &str| name.parse::<barrage_protocol::UserId>().unwrap();
    let mute = |name: &str, until_ms| Change::Restrict {
        room: room("a"),
        user: user(name),
        restriction: Restriction { kind: RestrictionKind::Mute, until_ms },
    };
    let unmute = |name: &str| Change::Lift { room: room("a"), user: user(name), kind: RestrictionKind::Mute };
    let far = 4_102_444_800_000;
    bus.change(mute("u:1@x.y", far)).await.unwrap();
    bus.change(mute("u:2", far)).await.unwrap();
    assert_eq!(bus.change(mute("u:3", far)).await, Err(BusError::Full("restriction")));
    let found = settings.borrow().restriction(&room("a"), &user("u:1@x.y"), far - 1);
    assert_eq!(found.map(|it| it.kind), Some(RestrictionKind::Mute));
    bus.change(unmute("u:1@x.y")).await.unwrap();
    assert!(settings.borrow().restriction(&room("a"), &user("u:1@x.y"), 0).is_none());
    bus.change(mute("u:3", far)).await.unwrap();

    bus.change(Change::Switch { name: "hold-chat".into(), value: true.into() }).await.unwrap();
    assert!(settings.borrow().switches.hold_chat);
    bus.change(Change::Revoke { user: Some(user("u:1@x.y")), before_secs: 7 }).await.unwrap();
    bus.change(Change::Revoke { user: None, before_secs: 5 }).await.unwrap();
    let before = settings.borrow().clone();
    assert_eq!((before.revocations.all_before, before.revocations.by_user.len()), (Some(5), 1));
    drop((bus, settings));
    let engine = engine.restart().await;
    let settings = engine.bus().settings().borrow().clone();
    assert_eq!((settings.rooms.len(), settings.switches.hold_chat), (2, true));
    assert_eq!(settings.restrictions, before.restrictions);
    assert_eq!(settings.revocations, before.revocations);
}

pub(crate) async fn changes_of_two_moderators_at_once_both_take_effect<E: Engine>() {
    const ROUNDS: u64 = 12;
    let engine = E::start(BusConfig::default()).await;
    let (one, other) = (engine.bus(), engine.another().await);
    let room: RoomId = "a".parse().unwrap();
    let user: barrage_protocol::UserId = "u".parse().unwrap();
    one.change(Change::Patch(room.clone(), RoomPatch::Ensure { title: "A".into() })).await.unwrap();
    let prewarm = |n: u64| Prewarm { at_ms: 4_102_444_800_000 + n, lasts_secs: 60, viewers: 1 };
    let patches = |bus: Arc<dyn Bus>, offset: u64| {
        let room = room.clone();
        async move {
            for n in 0..ROUNDS {
                let announce = RoomPatch::Announce(prewarm(2 * n + offset));
                bus.change(Change::Patch(room.clone(), announce)).await.unwrap();
            }
        }
    };
    let far = 4_102_444_800_000;
    let restrict = |bus: Arc<dyn Bus>, kind| {
        let (room, user) = (room.clone(), user.clone());
        async move {
            for n in 0..ROUNDS {
                let restriction = Restriction { kind, until_ms: far + ROUNDS - n };
                let (room, user) = (room.clone(), user.clone());
                bus.change(Change::Restrict { room, user, restriction }).await.unwrap();
            }
        }
    };
    let switch = |bus: Arc<dyn Bus>, name: &'static str| async move {
        bus.change(Change::Switch { name: name.into(), value: true.into() }).await.unwrap();
    };
    tokio::join!(
        patches(Arc::clone(&one), 0),
        patches(Arc::clone(&other), 1),
        restrict(Arc::clone(&one), RestrictionKind::Mute),
        restrict(Arc::clone(&other), RestrictionKind::Kick),
        switch(Arc::clone(&one), "no-likes"),
        switch(Arc::clone(&other), "text-only"),
    );
    for bus in [&one, &other] {
        let mut settings = bus.settings();
        let all_here = settings.wait_for(|settings| {
            let switches = settings.switches;
            let ends = settings.restrictions.get(&(room.clone(), user.clone()));
            let ends = ends.map(|it| (it.mute_until_ms, it.kick_until_ms));
            settings.rooms[&room].prewarms.len() as u64 == 2 * ROUNDS
                && ends == Some((Some(far + ROUNDS), Some(far + ROUNDS)))
                && switches.no_likes
                && switches.text_only
        });
        let settings = tokio::time::timeout(PATIENCE, all_here).await.map(drop);
        assert!(settings.is_ok(), "a change was overwritten: {:?}", bus.settings().borrow());
    }
}

pub(crate) async fn a_change_that_does_not_fit_is_refused<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let room: RoomId = "a".parse().unwrap();
    let close = Change::Patch(room.clone(), RoomPatch::Close);
    assert_eq!(bus.change(close.clone()).await, Err(BusError::Refused(ChangeError::UnknownRoom)));
    let unknown = Change::Switch { name: "no-such".into(), value: true.into() };
    assert!(matches!(bus.change(unknown).await, Err(BusError::Refused(ChangeError::Switch(_)))));
    let ensure = RoomPatch::Ensure { title: "A".into() };
    bus.change(Change::Patch(room.clone(), ensure)).await.unwrap();
    let changed = bus.change(close).await.unwrap();
    assert!(changed.room().closed && bus.settings().borrow().rooms[&room].closed);
}

pub(crate) async fn a_restriction_can_be_set_again_after_its_end_and_after_it_was_lifted<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let (room, user): (RoomId, barrage_protocol::UserId) = ("a".parse().unwrap(), "u".parse().unwrap());
    let far = 4_102_444_800_000;
    let set = |until_ms| {
        let (room, user) = (room.clone(), user.clone());
        let restriction = Restriction { kind: RestrictionKind::Kick, until_ms };
        Change::Restrict { room, user, restriction }
    };
    for _ in 0..3 {
        bus.change(set(far)).await.unwrap();
        let lift = Change::Lift { room: room.clone(), user: user.clone(), kind: RestrictionKind::Kick };
        bus.change(lift).await.unwrap();
        assert!(bus.settings().borrow().restrictions.is_empty());
    }
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let soon_ms = u64::try_from(soon.as_millis()).unwrap() + 300;
    bus.change(set(soon_ms)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let changed = bus.change(set(far)).await.unwrap();
    assert_eq!(changed.restrictions().kick_until_ms, Some(far));
}

pub(crate) async fn the_archiver_reads_each_partition_in_order<E: Engine>() {
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
            for message in &batch {
                assert!(message.sequence > position, "not in order");
                position = message.sequence;
                read.entry(message.room.clone()).or_default().push(message.sequence);
            }
            if batch.is_empty() {
                break;
            }
        }
        assert!(position > Sequence::ZERO, "partition {partition} has no room");
        let told = tokio::time::timeout(PATIENCE, tail.wait_for(|tail| *tail >= position)).await;
        told.expect("the tail does not follow").unwrap();
    }
    assert_eq!(read, published);
}

pub(crate) async fn a_thousand_rooms_at_once<E: Engine>() {
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
