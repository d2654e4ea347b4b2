//! Changes applied to all settings: limits, and revocations of all users.

use barrage_protocol::poll::Poll;

use super::change::Change;
use super::error::{ChangeError, PREWARMS_MAX};
use super::room::{Prewarm, RoomPatch, RoomSettings, Shield};
use super::*;
use crate::config::BusConfig;
use crate::error::BusError;
use barrage_protocol::speak::{ShieldBundle, SpeakRule, SpeakRules};

const NOW_MS: u64 = 1_800_000_000_000;

fn room() -> RoomId {
    "r".parse().unwrap()
}

#[test]
fn a_prewarm_for_the_same_time_is_replaced_and_those_that_are_over_free_their_slots() {
    let mut settings = Settings::default();
    let set_prewarm = |at_secs: u64| {
        let at_ms = NOW_MS + at_secs * 1_000;
        Change::Patch(room(), RoomPatch::SetPrewarm(Prewarm { at_ms, lasts_secs: 50, viewers: 1 }))
    };
    settings.rooms.insert(room(), RoomSettings::default());
    let mut apply = |change: &Change, now_ms: u64| {
        settings.apply(change, &BusConfig::default(), now_ms)?;
        Ok(settings.rooms[&room()].prewarms.len())
    };
    for n in 0..PREWARMS_MAX as u64 {
        apply(&set_prewarm(100 * n), NOW_MS).unwrap();
    }
    let full = Err(BusError::Refused(ChangeError::PrewarmsFull));
    assert_eq!(apply(&set_prewarm(50), NOW_MS), full);
    assert_eq!(apply(&set_prewarm(100), NOW_MS), Ok(PREWARMS_MAX));
    assert_eq!(apply(&set_prewarm(150), NOW_MS + 50_000), Ok(PREWARMS_MAX));
}

#[test]
fn a_revocation_keeps_the_later_time_and_one_of_all_users_covers_earlier_ones() {
    let mut settings = Settings::default();
    let mut revoke = |user: Option<&str>, before_secs| {
        let change = Change::Revoke { user: user.map(|user| user.parse().unwrap()), before_secs };
        settings.apply(&change, &BusConfig::default(), NOW_MS).unwrap();
        settings.revocations.clone()
    };
    revoke(Some("a"), 10);
    revoke(Some("b"), 30);
    assert_eq!(revoke(Some("a"), 5).by_user[&"a".parse().unwrap()], 10);
    let revoked = revoke(None, 20);
    assert_eq!((revoked.all_before, revoked.by_user.len()), (Some(20), 1));
    assert_eq!(revoke(None, 10).all_before, Some(20));
    assert_eq!(revoke(Some("a"), 15).by_user.len(), 1, "the revocation of all users covers it");
}

#[test]
fn one_poll_runs_at_a_time_and_a_closed_one_is_remembered() {
    let poll = |id: &str, question: &str| {
        Box::new(Poll {
            id: id.parse().unwrap(),
            question: question.into(),
            options: vec!["a".into(), "b".into()],
            opened_ms: NOW_MS,
            ends_ms: NOW_MS + 60_000,
            guests: true,
            words: false,
        })
    };
    let mut settings = Settings::default();
    settings.rooms.insert(room(), RoomSettings::default());
    let mut apply = |patch: RoomPatch, now_ms: u64| {
        let changed = settings.apply(&Change::Patch(room(), patch), &BusConfig::default(), now_ms);
        changed.map(|changed| changed.room())
    };
    let open = apply(RoomPatch::OpenPoll(poll("p1", "?")), NOW_MS).unwrap();
    assert_eq!(open.state().poll.unwrap().value.as_ref(), open.poll.as_deref());
    let again = apply(RoomPatch::OpenPoll(poll("p1", "later")), NOW_MS + 1).unwrap();
    assert_eq!(again, open, "the same poll again changes nothing");
    let second = apply(RoomPatch::OpenPoll(poll("p2", "?")), NOW_MS + 1);
    assert!(matches!(second, Err(BusError::Refused(ChangeError::PollRunning))), "{second:?}");
    let close = |id: &str| RoomPatch::ClosePoll { id: id.parse().unwrap() };
    assert_eq!(apply(close("p2"), NOW_MS + 2).unwrap(), open);
    let closed = apply(close("p1"), NOW_MS + 2).unwrap();
    assert_eq!((&closed.poll, closed.closed_poll.as_ref().unwrap().as_str()), (&None, "p1"));
    assert!(closed.poll_version > open.poll_version, "{closed:?}");
    assert_eq!(apply(close("p1"), NOW_MS + 3).unwrap(), closed);
}

#[test]
fn the_shield_adds_rules_and_leaves_those_of_the_room_as_they_are() {
    let patch = |room: &RoomSettings, patch: RoomPatch| patch.apply(Some(room), NOW_MS).unwrap();
    let room = RoomSettings { slow_mode_secs: 30, ..RoomSettings::default() };
    let room = patch(&room, RoomPatch::Speak(SpeakRule::LevelMin(9)));
    let speak = SpeakRules { level_min: 3, emote_only: true, ..SpeakRules::default() };
    let room = patch(&room, RoomPatch::ShieldBundle(ShieldBundle { speak, slow_mode_secs: 10 }));
    assert_eq!((room.speak_in_force(), room.slow_mode_in_force()), (room.speak, 30));
    let up = patch(&room, RoomPatch::Shield { on: true });
    let both = SpeakRules { level_min: 9, emote_only: true, ..SpeakRules::default() };
    assert_eq!((up.speak_in_force(), up.slow_mode_in_force(), up.speak), (both, 30, room.speak));
    let changed = patch(&up, RoomPatch::Speak(SpeakRule::LinksOff(true)));
    let down = patch(&changed, RoomPatch::Shield { on: false });
    assert_eq!(down.speak_in_force(), SpeakRules { level_min: 9, links_off: true, ..SpeakRules::default() });
    let lowered = patch(&up, RoomPatch::Shield { on: false });
    assert_eq!((lowered.speak, lowered.shield), (room.speak, room.shield), "nothing has changed");
    let default = RoomSettings { shield: Shield { on: true, stored: None }, ..RoomSettings::default() };
    assert_eq!((default.speak_in_force().links_off, default.slow_mode_in_force()), (true, 10));
}
