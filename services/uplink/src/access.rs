//! Who may do what in which room: tokens, roles, restrictions.

use barrage_bus::{RestrictionKind, RoomSettings, Settings};
use barrage_http::{ApiError, bearer};
use barrage_protocol::post::Post;
use barrage_protocol::{Code, RoomId};
use barrage_token::{Identity, Keyring, Role};
use http::HeaderMap;

use crate::gifts;

/// The caller, verified for a room.
pub(crate) fn caller(keyring: &Keyring, headers: &HeaderMap, room: &RoomId) -> Result<Identity, ApiError> {
    let token = bearer(headers).ok_or_else(|| {
        ApiError::new(Code::Unauthorized, "send a token in the header `Authorization: Bearer ...`")
    })?;
    keyring.verify_for(token, room).map_err(|error| ApiError(error.into()))
}

/// Parses a room id out of a path.
pub(crate) fn room_id(text: &str) -> Result<RoomId, ApiError> {
    RoomId::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// The room, if it is there and open.
pub(crate) fn open_room<'a>(settings: &'a Settings, room: &RoomId) -> Result<&'a RoomSettings, ApiError> {
    match settings.rooms.get(room) {
        None => Err(ApiError::new(Code::UnknownRoom, "there is no such room")),
        Some(found) if found.closed => Err(ApiError::new(Code::RoomClosed, "the room is closed")),
        Some(found) => Ok(found),
    }
}

/// Refuses who is kept out of the room. Whoever sends no token is not known: an anonymous viewer
/// is kept out by nothing.
pub(crate) fn not_kicked(
    settings: &Settings,
    room: &RoomId,
    by: &Identity,
    now_ms: u64,
) -> Result<(), ApiError> {
    match settings.restriction(room, &by.user, now_ms) {
        Some(restriction) if restriction.kind == RestrictionKind::Kick => {
            Err(ApiError::new(Code::Kicked, "you were removed from this room"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether the caller may send this post to the room now, and the seconds of the room's slow
/// mode for this caller.
pub(crate) fn may_send(
    settings: &Settings,
    room: &RoomId,
    by: &Identity,
    post: &Post,
    gift_role_min: Role,
    now_ms: u64,
) -> Result<u32, ApiError> {
    let found = open_room(settings, room)?;
    if let Some(restriction) = settings.restriction(room, &by.user, now_ms) {
        let left_ms = restriction.until_ms - now_ms;
        return Err(match restriction.kind {
            RestrictionKind::Kick => ApiError::new(Code::Kicked, "you were removed from this room"),
            // A moderator did it, or the moderation's own rules.
            RestrictionKind::Mute => {
                ApiError::new(Code::Muted, "you may not speak in this room for now").retry_after_ms(left_ms)
            }
        });
    }
    if gifts::is_paid(post) && by.role < gift_role_min {
        return Err(ApiError::new(Code::Forbidden, "your role may not post gifts that cost something"));
    }
    if gifts::obeys_room(post) && found.mute_all && by.role < Role::Moderator {
        return Err(ApiError::new(Code::RoomMuted, "only the host and moderators may speak now"));
    }
    Ok(if by.role < Role::Moderator { found.slow_mode_secs } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_bus::{BusConfig, Change, Restriction, RoomPatch};
    use barrage_token::Rooms;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn room() -> RoomId {
        "r".parse().unwrap()
    }

    fn by(role: Role) -> Identity {
        let (user, name, issued_at_secs) = ("u".parse().unwrap(), "U".into(), None);
        Identity { user, name, role, rooms: Rooms(vec!["*".into()]), expires_at_secs: 0, issued_at_secs }
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
        let result = may_send(settings, &room(), &by(role), &post, gift_role_min, NOW_MS);
        result.map_err(|error| error.0.code)
    }

    const CHAT: &str = r#"{"type":"chat","id":"x","text":"hi"}"#;
    const FREE: &str = r#"{"type":"gift","id":"x","gift":{"name":"rose","count":1}}"#;
    const PAID: &str = r#"{"type":"gift","id":"x","gift":{"name":"rose","count":1,"price_minor":100}}"#;
    const SUPER_CHAT: &str =
        r#"{"type":"super_chat","id":"x","text":"hi","amount_minor":100,"currency":"EUR"}"#;

    #[test]
    fn free_gifts_obey_mute_all_and_slow_mode_as_chat_does() {
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
    fn only_what_is_paid_for_needs_the_gift_role() {
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
    fn a_shorter_kick_does_not_end_a_mute_and_no_refusal_names_a_moderator() {
        let restrict = |kind, secs: u64| {
            let restriction = Restriction { kind, until_ms: NOW_MS + 1_000 * secs };
            Change::Restrict { room: room(), user: "u".parse().unwrap(), restriction }
        };
        let settings =
            settings(&[restrict(RestrictionKind::Mute, 86_400), restrict(RestrictionKind::Kick, 1)]);
        let at = |now_ms| {
            let post: Post = serde_json::from_str(CHAT).unwrap();
            may_send(&settings, &room(), &by(Role::Viewer), &post, Role::Viewer, now_ms).unwrap_err().0
        };
        assert_eq!((at(NOW_MS).code, at(NOW_MS + 2_000).code), (Code::Kicked, Code::Muted));
        for refusal in [at(NOW_MS), at(NOW_MS + 2_000)] {
            assert!(!refusal.message.contains("moderator"), "{}", refusal.message);
        }
        let kicked = |now_ms| not_kicked(&settings, &room(), &by(Role::Viewer), now_ms);
        assert_eq!(kicked(NOW_MS).unwrap_err().0.code, Code::Kicked);
        assert!(kicked(NOW_MS + 2_000).is_ok());
    }
}
