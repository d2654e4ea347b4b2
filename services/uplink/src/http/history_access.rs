//! Who may read the history of a room: for its pages, exports, and back ends of players.

use barrage_bus::Settings;
use barrage_http::{ApiError, bearer};
use barrage_protocol::{Code, RoomId};
use barrage_token::Identity;
use http::HeaderMap;

use super::caller::caller;
use crate::room::{in_room, refuse_kicked};
use crate::uplink::Uplink;

/// Milliseconds after which a client may try again while history is switched off.
const SWITCHED_OFF_RETRY_MS: u64 = 30_000;

/// Checks that the caller may read the room's history. A caller with a token must not be removed
/// from the room. A caller without one may read where anonymous viewers are allowed. Returns the caller with
/// the role in the room; `None` without a token.
pub(super) fn authorize(
    uplink: &Uplink,
    room: &RoomId,
    headers: &HeaderMap,
) -> Result<Option<Identity>, ApiError> {
    let caller = match bearer(headers).is_some() || !uplink.anonymous {
        true => Some(caller(&uplink.keyring, headers, room)?),
        false => None,
    };
    let settings = uplink.bus.settings().borrow().clone();
    may_read(uplink, &settings, room, caller.as_ref())?;
    Ok(caller.map(|by| in_room(&settings, room, &by).into_owned()))
}

/// Checks that the history of a room can be read now, by this caller.
pub(super) fn may_read(
    uplink: &Uplink,
    settings: &Settings,
    room: &RoomId,
    caller: Option<&Identity>,
) -> Result<(), ApiError> {
    if !settings.rooms.contains_key(room) {
        return Err(ApiError::new(Code::UnknownRoom, "there is no such room"));
    }
    if let Some(by) = caller {
        refuse_kicked(settings, room, &by.user, barrage_clock::unix_ms())?;
        if uplink.keyring.is_revoked(by) {
            return Err(ApiError::new(Code::Unauthorized, "the token was revoked"));
        }
    }
    if settings.switches.history_off {
        let error = ApiError::new(Code::Unavailable, "history is switched off just now");
        return Err(error.retry_after_ms(SWITCHED_OFF_RETRY_MS));
    }
    Ok(())
}
