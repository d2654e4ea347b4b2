//! Changes of the settings.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    ActionRecord, ActionResult, Bus, BusConfig, BusError, Change, ChangeError, HeldMessage, Prewarm,
    Restriction, RestrictionKind, ReviewChange, ReviewItem, RoomPatch, RoomSettings, Verdict,
};
use barrage_protocol::action::RoomRole;
use barrage_protocol::review::{Review, ReviewDecision, ReviewKind};
use barrage_protocol::words::{WordAction, WordRule};
use barrage_protocol::{Class, Digest, RoomId, Sequence, UserId};
use serde_json::json;

use super::WAIT_MAX;
use crate::engine::Engine;

pub(crate) async fn settings_are_in_force_when_the_change_returns<E: Engine>() {
    let config =
        BusConfig { rooms_max: 2, restrictions_max: 2, removed_media_max: 1, ..BusConfig::default() };
    let engine = E::start(config).await;
    let bus = engine.bus();
    let settings = bus.settings();
    let room = |name: &str| name.parse::<RoomId>().unwrap();
    for (n, name) in ["a", "b", "a"].iter().enumerate() {
        let value = RoomSettings { slow_mode_secs: u32::try_from(n).unwrap(), ..RoomSettings::default() };
        bus.change(Change::Room(room(name), value.clone())).await.unwrap();
        let stored = settings.borrow().rooms[&room(name)].clone();
        assert_eq!(stored.slow_mode_secs, value.slow_mode_secs);
        assert!(stored.version > 0, "each change has a version");
    }
    let third = Change::Room(room("c"), RoomSettings::default());
    assert_eq!(bus.change(third).await, Err(BusError::Full("room")));

    let user = |name: &str| name.parse::<UserId>().unwrap();
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
    let sampling = json!({ "watch_rooms": ["a"] }).as_object().cloned().unwrap();
    let changed = bus.change(Change::Sampling(sampling.clone())).await.unwrap();
    assert_eq!(changed.sampling().values(), &sampling);
    assert_eq!(settings.borrow().sampling.values(), &sampling);
    bus.change(Change::Revoke { user: Some(user("u:1@x.y")), before_secs: 7 }).await.unwrap();
    bus.change(Change::Revoke { user: None, before_secs: 5 }).await.unwrap();
    let remove = |byte, at_ms| Change::RemoveMedium { digest: Digest::new([byte; 32]), at_ms };
    bus.change(remove(7, 1_000)).await.unwrap();
    bus.change(remove(7, 2_000)).await.unwrap();
    assert_eq!(
        settings.borrow().removed_media.get(&Digest::new([7; 32])),
        Some(&1_000),
        "the first time stays"
    );
    assert_eq!(bus.change(remove(8, 3_000)).await, Err(BusError::Full("removed medium")));
    bus.change(Change::AllowMedium { digest: Digest::new([7; 32]) }).await.unwrap();
    assert_eq!(settings.borrow().removed_media.len(), 0);
    bus.change(Change::AllowMedium { digest: Digest::new([9; 32]) }).await.unwrap();
    bus.change(remove(8, 3_000)).await.unwrap();
    bus.change(Change::AllowMedium { digest: Digest::new([8; 32]) }).await.unwrap();
    bus.change(remove(8, 4_000)).await.unwrap();
    assert_eq!(settings.borrow().removed_media.get(&Digest::new([8; 32])), Some(&4_000), "removed again");
    let role = RoomRole::Moderator;
    bus.change(Change::Role { room: room("a"), user: user("u:2"), role }).await.unwrap();
    let record = |key, fingerprint| {
        let (subject, merges, until_ms, result) = (Some(1), true, Some(far), None);
        ActionRecord { key, fingerprint, subject, merges, until_ms, result }
    };
    let begin = |record| Change::BeginAction { room: room("a"), record };
    let begun = bus.change(begin(record(u64::MAX, 7))).await.unwrap();
    assert_eq!(begun.actions().find(u64::MAX), Some(&record(u64::MAX, 7)));
    let conflict = bus.change(begin(record(u64::MAX, 8))).await;
    assert_eq!(conflict, Err(BusError::Refused(ChangeError::ActionConflict)));
    let result = ActionResult { sequence: Some(Sequence(9)), until_ms: Some(far) };
    bus.change(Change::EndAction { room: room("a"), key: u64::MAX, result }).await.unwrap();
    for n in 0..5 {
        // Together they are larger than a value was allowed to be.
        let change = ReviewChange::Add(Box::new(waiting(&format!("rv-{n}"), 30_000)));
        bus.change(Change::Review { room: room("a"), change }).await.unwrap();
    }
    let rule =
        WordRule { name: "w".into(), words: vec!["x".into()], action: WordAction::Review, shadow: true };
    let words = |expected| Change::Words { room: room("a"), rules: vec![rule.clone()], expected };
    assert_eq!(bus.change(words(Some(0))).await.unwrap().words().version, 1);
    let nowhere = Change::Words { room: room("c"), rules: vec![], expected: None };
    assert_eq!(bus.change(nowhere).await, Err(BusError::Refused(ChangeError::UnknownRoom)));
    let before = settings.borrow().clone();
    assert_eq!((before.reviews[&room("a")].items().len(), before.words[&room("a")].rules.len()), (5, 1));
    assert_eq!(before.roles[&room("a")].given(&user("u:2")), RoomRole::Moderator);
    assert_eq!(before.actions[&room("a")].find(u64::MAX).unwrap().result, Some(result));
    assert_eq!((before.revocations.all_before, before.revocations.by_user.len()), (Some(5), 1));
    drop((bus, settings));
    let engine = engine.restart().await;
    let settings = engine.bus().settings().borrow().clone();
    assert_eq!((settings.rooms.len(), settings.switches.hold_chat), (2, true));
    assert_eq!(settings.restrictions, before.restrictions);
    assert_eq!((&settings.roles, &settings.actions), (&before.roles, &before.actions));
    assert_eq!((&settings.reviews, &settings.words), (&before.reviews, &before.words));
    assert_eq!(settings.revocations, before.revocations);
    assert_eq!(settings.removed_media, before.removed_media);
    assert_eq!(settings.sampling, before.sampling);
}

fn waiting(id: &str, text_bytes: usize) -> ReviewItem {
    let review = Review {
        id: id.parse().unwrap(),
        kind: ReviewKind::Message,
        user: "u".parse().unwrap(),
        rule: "links".into(),
        detail: String::new(),
        matched: None,
        message: Some(json!({ "text": "x".repeat(text_bytes) })),
        report: None,
        at_ms: 1,
        lock: None,
        fallback_at_ms: None,
    };
    let held = HeldMessage { class: Class::Chat, id: id.parse().unwrap(), fingerprint: 1 };
    ReviewItem { review, held: Some(held), verdict: None }
}

pub(crate) async fn a_review_is_decided_once_by_two_processes<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let (one, other) = (engine.bus(), engine.another().await);
    let room: RoomId = "a".parse().unwrap();
    one.change(Change::Patch(room.clone(), RoomPatch::Ensure { title: "A".into() })).await.unwrap();
    other.catch_up(&room).await.unwrap();
    let change = |change| Change::Review { room: room.clone(), change };
    for n in 0..10 {
        let id = format!("rv-{n}");
        one.change(change(ReviewChange::Add(Box::new(waiting(&id, 10))))).await.unwrap();
        let decide = |by: &str, decision| {
            let (by, after) = (by.parse().unwrap(), Sequence::ZERO);
            let verdict = Verdict { decision, by, at_ms: 1, mute_secs: 0, after };
            change(ReviewChange::Decide { id: id.parse().unwrap(), verdict })
        };
        let (approved, denied) = tokio::join!(
            one.change(decide("a", ReviewDecision::Approve)),
            other.change(decide("b", ReviewDecision::Deny)),
        );
        let (by, refused) = match (&approved, &denied) {
            (Ok(_), Err(error)) => ("a", error),
            (Err(error), Ok(_)) => ("b", error),
            both => panic!("{both:?}"),
        };
        let expected = matches!(refused, BusError::Refused(ChangeError::ReviewDecided { by: first, .. })
            if first.as_str() == by);
        assert!(expected, "{refused:?}");
    }
}

pub(crate) async fn concurrent_changes_of_two_processes_both_take_effect<E: Engine>() {
    const ROUNDS: u64 = 12;
    let engine = E::start(BusConfig::default()).await;
    let (one, other) = (engine.bus(), engine.another().await);
    let room: RoomId = "a".parse().unwrap();
    let user: UserId = "u".parse().unwrap();
    one.change(Change::Patch(room.clone(), RoomPatch::Ensure { title: "A".into() })).await.unwrap();
    other.catch_up(&room).await.unwrap();
    let prewarm = |n: u64| Prewarm { at_ms: 4_102_444_800_000 + n, lasts_secs: 60, viewers: 1 };
    let patches = |bus: Arc<dyn Bus>, offset: u64| {
        let room = room.clone();
        async move {
            for n in 0..ROUNDS {
                let patch = RoomPatch::SetPrewarm(prewarm(2 * n + offset));
                bus.change(Change::Patch(room.clone(), patch)).await.unwrap();
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
            let switches = &settings.switches;
            let ends = settings.restrictions.get(&(room.clone(), user.clone()));
            let ends = ends.map(|it| (it.mute_until_ms, it.kick_until_ms));
            settings.rooms[&room].prewarms.len() as u64 == 2 * ROUNDS
                && ends == Some((Some(far + ROUNDS), Some(far + ROUNDS)))
                && switches.no_likes
                && switches.text_only
        });
        let settings = tokio::time::timeout(WAIT_MAX, all_here).await.map(drop);
        assert!(settings.is_ok(), "a change was overwritten: {:?}", bus.settings().borrow());
    }
}

pub(crate) async fn a_change_of_something_unknown_is_refused<E: Engine>() {
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

pub(crate) async fn a_restriction_can_be_set_again_after_it_ended_or_was_lifted<E: Engine>() {
    let engine = E::start(BusConfig::default()).await;
    let bus = engine.bus();
    let (room, user): (RoomId, UserId) = ("a".parse().unwrap(), "u".parse().unwrap());
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
    let soon_ms = barrage_clock::unix_ms() + 300;
    bus.change(set(soon_ms)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let changed = bus.change(set(far)).await.unwrap();
    assert_eq!(changed.restrictions().kick_until_ms, Some(far));
}
