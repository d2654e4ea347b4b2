//! Changes applied to single values of the settings.

use super::*;
use crate::settings::changed::Changed;
use crate::settings::room::{Prewarm, Shield};
use crate::settings::signal_mark::SignalMark;
use barrage_protocol::Sequence;
use barrage_protocol::speak::{SpeakRule, SpeakRules};
use barrage_protocol::state::PinnedMessage;

const NOW_MS: u64 = 1_800_000_000_000;

fn room() -> RoomId {
    "r".parse().unwrap()
}

fn patched(current: Option<&RoomSettings>, patch: RoomPatch) -> Result<RoomSettings, ChangeError> {
    let current = current.cloned().map(Setting::Room);
    let after = Change::Patch(room(), patch).apply(current.as_ref(), NOW_MS)?;
    Ok(after.unwrap().room().cloned().unwrap())
}

#[test]
fn a_patch_changes_one_thing_and_keeps_the_others() {
    let prewarm = Prewarm { at_ms: NOW_MS + 60_000, lasts_secs: 60, viewers: 5 };
    let put =
        |title: Option<&str>| RoomPatch::Put { title: title.map(Into::into), stream_started_at_ms: None };
    let pinned = PinnedMessage { sequence: Sequence(7), message: serde_json::json!({ "text": "hi" }) };
    let mut room = patched(None, put(Some("A"))).unwrap();
    let patches = [
        RoomPatch::MuteAll(true),
        RoomPatch::SlowMode { secs: 5 },
        RoomPatch::SetPrewarm(prewarm),
        RoomPatch::Pin(pinned.clone()),
        RoomPatch::Speak(SpeakRule::LevelMin(9)),
        RoomPatch::Shield { on: true },
        RoomPatch::Reactions(Some(vec![])),
        RoomPatch::Close,
    ];
    for patch in patches {
        room = patched(Some(&room), patch).unwrap();
    }
    let expected = RoomSettings {
        title: "A".into(),
        closed: true,
        mute_all: true,
        slow_mode_secs: 5,
        stream_started_at_ms: NOW_MS,
        pinned: Some(Box::new(pinned)),
        prewarms: vec![prewarm],
        attribute_rules: vec![],
        version: NOW_MS + 8,
        pinned_version: NOW_MS + 4,
        speak: SpeakRules { level_min: 9, ..SpeakRules::default() },
        shield: Shield { on: true, stored: None },
        reactions: Some(vec![]),
        signals: SignalMark { changed: NOW_MS + 8, signalled: 0 },
        ..RoomSettings::default()
    };
    assert_eq!(room, expected);
    let opened = patched(Some(&room), put(None)).unwrap();
    let signals = SignalMark { changed: NOW_MS + 9, signalled: 0 };
    assert_eq!(opened, RoomSettings { closed: false, version: NOW_MS + 9, signals, ..expected.clone() });
    let ensured = patched(Some(&room), RoomPatch::Ensure { title: "B".into() }).unwrap();
    assert_eq!(ensured, expected, "Ensure changes nothing in a room that exists");
    let cancelled = patched(Some(&room), RoomPatch::CancelPrewarm { at_ms: prewarm.at_ms }).unwrap();
    assert_eq!(cancelled, RoomSettings { prewarms: vec![], version: NOW_MS + 9, ..expected });
    let other = patched(Some(&cancelled), RoomPatch::Unpin { only: Some(Sequence(8)) }).unwrap();
    assert_eq!(other, cancelled, "another message is pinned");
    let unpinned = patched(Some(&cancelled), RoomPatch::Unpin { only: Some(Sequence(7)) }).unwrap();
    assert_eq!((unpinned.pinned, unpinned.pinned_version), (None, NOW_MS + 10));
    let again = patched(Some(&cancelled), RoomPatch::CancelPrewarm { at_ms: prewarm.at_ms });
    assert_eq!(again, Err(ChangeError::UnknownPrewarm));
}

#[test]
fn a_change_that_viewers_see_is_behind_until_its_signal_is_noted() {
    let put = RoomPatch::Put { title: Some("A".into()), stream_started_at_ms: None };
    let new = Setting::Room(patched(None, put).unwrap());
    assert!(!new.signals().unwrap().1.is_behind(), "a new room has no viewers");
    let change = |current: &Setting, change: Change| {
        let after = change.apply(Some(current), NOW_MS).unwrap();
        Changed { before: Some(current.clone()), after }
    };
    let prewarm = Prewarm { at_ms: NOW_MS + 1, lasts_secs: 1, viewers: 1 };
    let unseen = change(&new, Change::Patch(room(), RoomPatch::SetPrewarm(prewarm)));
    assert_eq!(unseen.signal_step(), None);
    let slow = change(&new, Change::Patch(room(), RoomPatch::SlowMode { secs: 5 }));
    let (part, from, to) = slow.signal_step().unwrap();
    assert_eq!((part, from, to), (StatePart::Settings, 0, slow.room().version));
    assert!(slow.room().signals.is_behind());
    let noted = Change::Signalled { room: room(), part, up_to: to };
    let noted = change(slow.after.as_ref().unwrap(), noted);
    assert!(!noted.room().signals.is_behind() && noted.room().version == to);
    let owned = RoomSettings { slow_mode_secs: 9, ..noted.room() };
    let owned = change(noted.after.as_ref().unwrap(), Change::Room(room(), owned));
    assert!(!owned.room().signals.is_behind(), "the owner of the room signals by itself");
}

#[test]
fn a_patch_of_an_unknown_room_is_refused() {
    for patch in [RoomPatch::MuteAll(true), RoomPatch::SlowMode { secs: 5 }, RoomPatch::Close] {
        assert_eq!(patched(None, patch), Err(ChangeError::UnknownRoom));
    }
}

#[test]
fn a_restriction_that_is_over_is_removed() {
    let user: UserId = "u".parse().unwrap();
    let mute = Restriction { kind: RestrictionKind::Mute, until_ms: NOW_MS };
    let change = Change::Restrict { room: room(), user: user.clone(), restriction: mute };
    assert_eq!(change.apply(None, NOW_MS), Ok(None));
    let both = Restrictions { mute_until_ms: Some(NOW_MS - 1), kick_until_ms: Some(NOW_MS + 1) };
    let lift = Change::Lift { room: room(), user, kind: RestrictionKind::Kick };
    assert_eq!(lift.apply(Some(&Setting::Restrictions(both)), NOW_MS), Ok(None));
}
