//! The caller of a request: the identity that its bearer token names.

use std::sync::Arc;

use barrage_http::{ApiError, bearer};
use barrage_protocol::{Code, RoomId};
use barrage_token::{Identity, Keyring, LastToken};
use http::HeaderMap;

/// Verifies the request's token for a room.
pub(super) fn caller(keyring: &Keyring, headers: &HeaderMap, room: &RoomId) -> Result<Identity, ApiError> {
    Ok(keyring.verify_for(token(headers)?, room)?)
}

/// Verifies the request's token for a room, as [`caller`] does. The token that came last on the same
/// connection is not verified again.
pub(super) fn sender(
    keyring: &Keyring,
    headers: &HeaderMap,
    last: &LastToken,
    room: &RoomId,
) -> Result<Arc<Identity>, ApiError> {
    Ok(keyring.verify_again(token(headers)?, room, last)?)
}

fn token(headers: &HeaderMap) -> Result<&str, ApiError> {
    bearer(headers).ok_or_else(|| {
        ApiError::new(Code::Unauthorized, "send a token in the header `Authorization: Bearer ...`")
    })
}
