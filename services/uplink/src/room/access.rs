//! Whether a room is there and open, and whether a user was removed from it. Pure.

use barrage_bus::{RestrictionKind, RoomSettings, Settings};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId, UserId};

/// Parses a room id from a path or a query.
pub(crate) fn parse_room_id(text: &str) -> Result<RoomId, Refusal> {
    RoomId::parse(text).map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))
}

/// Returns the settings of an open room.
///
/// # Errors
/// `unknown_room` or `room_closed`.
pub(crate) fn open_room<'a>(settings: &'a Settings, room: &RoomId) -> Result<&'a RoomSettings, Refusal> {
    match settings.rooms.get(room) {
        None => Err(Refusal::new(Code::UnknownRoom, "there is no such room")),
        Some(found) if found.closed => Err(Refusal::new(Code::RoomClosed, "the room is closed")),
        Some(found) => Ok(found),
    }
}

/// Refuses a user who was removed from the room. Anonymous viewers have no id and cannot be
/// removed.
pub(crate) fn refuse_kicked(
    settings: &Settings,
    room: &RoomId,
    user: &UserId,
    now_ms: u64,
) -> Result<(), Refusal> {
    match settings.restriction(room, user, now_ms) {
        Some(restriction) if restriction.kind == RestrictionKind::Kick => {
            Err(Refusal::new(Code::Kicked, "you were removed from this room"))
        }
        Some(_) | None => Ok(()),
    }
}
