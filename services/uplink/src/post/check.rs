//! The check of room and role: who may send which post to which room. Pure.

use barrage_bus::{RestrictionKind, Settings};
use barrage_protocol::code::Refusal;
use barrage_protocol::post::Post;
use barrage_protocol::{Code, RoomId};
use barrage_token::{Identity, Role};

use super::request::PostSource;
use super::{gifts, speak};
use crate::room::open_room;

/// Returns the seconds of slow mode that the sender has to keep in this room; 0 for none.
///
/// `by` has the role that counts in the room. Gifts that cost something need the role of the token
/// itself: no host of a room gives the right to post them.
///
/// # Errors
/// A refusal when the sender may not send this post to the room now.
pub(super) fn may_send(
    settings: &Settings,
    room: &RoomId,
    by: &Identity,
    token_role: Role,
    post: &Post,
    source: PostSource,
    now_ms: u64,
) -> Result<u32, Refusal> {
    if room.is_probe() || by.role == Role::Probe {
        return probe_may_send(room, by, post);
    }
    let found = open_room(settings, room)?;
    if let Some(restriction) = settings.restriction(room, &by.user, now_ms) {
        let left_ms = restriction.until_ms - now_ms;
        return Err(match restriction.kind {
            RestrictionKind::Kick => Refusal::new(Code::Kicked, "you were removed from this room"),
            // Set by a moderator or by moderation; the refusal names neither.
            RestrictionKind::Mute => {
                Refusal::new(Code::Muted, "you may not speak in this room for now").retry_after_ms(left_ms)
            }
        });
    }
    let gift_role_min = match source {
        PostSource::Sender { gift_role_min } => gift_role_min,
        PostSource::Recording => Role::Viewer,
    };
    if gifts::is_paid(post) && token_role < gift_role_min {
        return Err(Refusal::new(Code::Forbidden, "your role may not post gifts that cost something"));
    }
    if gifts::obeys_room(post) && found.mute_all && by.role < Role::Moderator {
        return Err(Refusal::new(Code::RoomMuted, "only the host and moderators may speak now"));
    }
    if gifts::obeys_room(post) {
        let rules = found.speak_in_force();
        speak::may_speak(rules, by, now_ms)?;
        if source != PostSource::Recording {
            speak::may_place(rules, by, post)?;
        }
    }
    Ok(if by.role < Role::Moderator { found.slow_mode_in_force() } else { 0 })
}

/// Lets probes chat in their room, which has no settings, and nowhere else.
fn probe_may_send(room: &RoomId, by: &Identity, post: &Post) -> Result<u32, Refusal> {
    match (room.is_probe(), by.role, post) {
        (true, Role::Probe, Post::Chat { .. }) => Ok(0),
        (true, Role::Probe, _) => Err(Refusal::new(Code::Forbidden, "a probe may only chat")),
        (true, _, _) => Err(Refusal::new(Code::UnknownRoom, "there is no such room")),
        (false, ..) => Err(Refusal::new(Code::Forbidden, "a probe may only post to the room of the probes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_bus::{BusConfig, Change, Restriction, RoomPatch};
    use barrage_token::Rooms;

    use crate::room::refuse_kicked;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn room() -> RoomId {
        "r".parse().unwrap()
    }

    fn by(role: Role) -> Identity {
        let (user, name, rooms) = ("u".parse().unwrap(), "U".into(), Rooms(vec!["*".into()]));
        Identity { user, name, role, rooms, expires_at_secs: 0, issued_at_secs: None, attrs: None }
    }

    fn settings(changes: &[Change]) -> Settings {
        let mut settings = Settings::default();
        let ensure = Change::Patch(room(), RoomPatch::Ensure { title: "R".into() });
        for change in std::iter::once(&ensure).chain(changes) {
            settings.apply(change, &BusConfig::default(), NOW_MS).unwrap();
        }
        settings
    }

    fn sent(settings: &Settings, role: Role, gift_role_min: Role, post: &str) -> Result<u32, Code> {
        let post: Post = serde_json::from_str(post).unwrap();
        let source = PostSource::Sender { gift_role_min };
        let result = may_send(settings, &room(), &by(role), role, &post, source, NOW_MS);
        result.map_err(|refusal| refusal.code)
    }

    const ANYBODY: PostSource = PostSource::Sender { gift_role_min: Role::Viewer };
    const CHAT: &str = r#"{"type":"chat","id":"x","text":"hi"}"#;
    const FREE: &str = r#"{"type":"gift","id":"x","gift":{"name":"rose","count":1}}"#;
    const PAID: &str = r#"{"type":"gift","id":"x","gift":{"name":"rose","count":1,"price_minor":100}}"#;
    const SUPER_CHAT: &str =
        r#"{"type":"super_chat","id":"x","text":"hi","amount_minor":100,"currency":"EUR"}"#;

    #[test]
    fn probes_chat_in_their_room_and_nowhere_else() {
        let sent = |room: &RoomId, role, post: &str| {
            let post: Post = serde_json::from_str(post).unwrap();
            may_send(&settings(&[]), room, &by(role), role, &post, ANYBODY, NOW_MS)
                .map_err(|refusal| refusal.code)
        };
        let probe = RoomId::probe();
        assert_eq!(sent(&probe, Role::Probe, CHAT), Ok(0));
        assert_eq!(sent(&probe, Role::Probe, FREE), Err(Code::Forbidden));
        assert_eq!(sent(&probe, Role::Admin, CHAT), Err(Code::UnknownRoom));
        assert_eq!(sent(&room(), Role::Probe, CHAT), Err(Code::Forbidden));
    }

    #[test]
    fn free_gifts_obey_mute_all_and_slow_mode_like_chat() {
        let muted = settings(&[
            Change::Patch(room(), RoomPatch::MuteAll(true)),
            Change::Patch(room(), RoomPatch::SlowMode { secs: 5 }),
        ]);
        for post in [CHAT, FREE] {
            assert_eq!(sent(&muted, Role::Viewer, Role::Viewer, post), Err(Code::RoomMuted));
            assert_eq!(sent(&muted, Role::Moderator, Role::Viewer, post), Ok(0));
        }
        for post in [PAID, SUPER_CHAT] {
            assert_eq!(sent(&muted, Role::Viewer, Role::Viewer, post), Ok(5));
        }
    }

    #[test]
    fn only_paid_posts_need_the_gift_role() {
        let open = settings(&[]);
        for post in [PAID, SUPER_CHAT] {
            assert_eq!(sent(&open, Role::Host, Role::Admin, post), Err(Code::Forbidden));
            assert_eq!(sent(&open, Role::Admin, Role::Admin, post), Ok(0));
        }
        for post in [CHAT, FREE] {
            assert_eq!(sent(&open, Role::Viewer, Role::Admin, post), Ok(0));
        }
    }

    #[test]
    fn paid_and_placed_posts_of_a_recording_need_no_role() {
        const PLACED: &str = r#"{"type":"chat","id":"x","text":"hi","style":{"mode":"placed","place":{"x":0,"y":0,"duration_ms":4500}}}"#;
        let settings = settings(&[]);
        let refused = Err(Code::Forbidden);
        for (post, by_sender) in [(CHAT, Ok(0)), (PLACED, refused), (PAID, refused)] {
            assert_eq!(sent(&settings, Role::Viewer, Role::Admin, post), by_sender);
            let (post, by) = (serde_json::from_str(post).unwrap(), by(Role::Viewer));
            let played =
                may_send(&settings, &room(), &by, Role::Viewer, &post, PostSource::Recording, NOW_MS);
            assert_eq!(played.map_err(|refusal| refusal.code), Ok(0));
        }
    }

    #[test]
    fn a_role_of_the_room_speaks_in_a_muted_room_and_posts_no_paid_gift() {
        let muted = settings(&[Change::Patch(room(), RoomPatch::MuteAll(true))]);
        let sent = |post: &str| {
            let (post, by) = (serde_json::from_str(post).unwrap(), by(Role::Host));
            let source = PostSource::Sender { gift_role_min: Role::Moderator };
            may_send(&muted, &room(), &by, Role::Viewer, &post, source, NOW_MS)
                .map_err(|refusal| refusal.code)
        };
        assert_eq!((sent(CHAT), sent(PAID)), (Ok(0), Err(Code::Forbidden)));
    }

    #[test]
    fn shorter_kick_does_not_end_a_mute_and_no_refusal_names_a_moderator() {
        let restrict = |kind, secs: u64| {
            let restriction = Restriction { kind, until_ms: NOW_MS + 1_000 * secs };
            Change::Restrict { room: room(), user: "u".parse().unwrap(), restriction }
        };
        let settings =
            settings(&[restrict(RestrictionKind::Mute, 86_400), restrict(RestrictionKind::Kick, 1)]);
        let at = |now_ms| {
            let post: Post = serde_json::from_str(CHAT).unwrap();
            may_send(&settings, &room(), &by(Role::Viewer), Role::Viewer, &post, ANYBODY, now_ms).unwrap_err()
        };
        assert_eq!((at(NOW_MS).code, at(NOW_MS + 2_000).code), (Code::Kicked, Code::Muted));
        for refusal in [at(NOW_MS), at(NOW_MS + 2_000)] {
            assert!(!refusal.message.contains("moderator"), "{}", refusal.message);
        }
        let kicked = |now_ms| refuse_kicked(&settings, &room(), &by(Role::Viewer).user, now_ms);
        assert_eq!(kicked(NOW_MS).unwrap_err().code, Code::Kicked);
        assert!(kicked(NOW_MS + 2_000).is_ok());
    }
}
