//! Who may do what in which room: tokens, roles, restrictions.

use barrage_bus::{RestrictionKind, RoomSettings, Settings};
use barrage_http::{ApiError, bearer};
use barrage_protocol::{Class, Code, RoomId};
use barrage_token::{Identity, Keyring, Role};
use http::HeaderMap;

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

/// Whether the caller may send this class to the room now; slow mode apart.
pub(crate) fn may_send(
    settings: &Settings,
    room: &RoomId,
    by: &Identity,
    class: Class,
    gift_role_min: Role,
    now_ms: u64,
) -> Result<u32, ApiError> {
    let found = open_room(settings, room)?;
    if let Some(restriction) = settings.restriction(room, &by.user, now_ms) {
        let left_ms = restriction.until_ms - now_ms;
        return Err(match restriction.kind {
            RestrictionKind::Kick => ApiError::new(Code::Kicked, "a moderator removed you from this room"),
            RestrictionKind::Mute => {
                ApiError::new(Code::Muted, "a moderator muted you in this room").retry_after_ms(left_ms)
            }
        });
    }
    if class == Class::Gift && by.role < gift_role_min {
        return Err(ApiError::new(Code::Forbidden, "your role may not post gifts"));
    }
    if class == Class::Chat && found.mute_all && by.role < Role::Moderator {
        return Err(ApiError::new(Code::RoomMuted, "only the host and moderators may speak now"));
    }
    Ok(if by.role < Role::Moderator { found.slow_mode_secs } else { 0 })
}
