use barrage_http::ApiError;
use barrage_protocol::{Code, RoomId};

/// Parses the room of a path or a query.
pub(super) fn room(text: &str) -> Result<RoomId, ApiError> {
    RoomId::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}
