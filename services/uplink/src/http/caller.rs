//! The caller of a request: the identity that its bearer token names.

use barrage_http::{ApiError, bearer};
use barrage_protocol::{Code, RoomId};
use barrage_token::{Identity, Keyring};
use http::HeaderMap;

/// Verifies the request's token for a room.
pub(super) fn caller(keyring: &Keyring, headers: &HeaderMap, room: &RoomId) -> Result<Identity, ApiError> {
    let token = bearer(headers).ok_or_else(|| {
        ApiError::new(Code::Unauthorized, "send a token in the header `Authorization: Bearer ...`")
    })?;
    Ok(keyring.verify_for(token, room)?)
}
