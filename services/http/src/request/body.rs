//! Request bodies, bounded in size and time.

use std::time::Duration;

use barrage_protocol::Code;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::answer::error::ApiError;

/// Maximum bytes that are read and discarded of a body that is too large. A client that is still
/// writing then gets the answer and not a reset. A larger body is cut off.
const DISCARDED_BYTES_MAX: usize = 4 << 20;

/// Reads a whole body.
///
/// # Errors
/// When the body has more than `bytes_max` bytes, ends early, or does not end within `deadline`.
pub async fn read(body: axum::body::Body, bytes_max: usize, deadline: Duration) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(deadline, collect(body, bytes_max)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(ApiError::new(Code::TooLarge, format!("the body may have {bytes_max} bytes"))),
        Ok(Err(_)) => Err(ApiError::new(Code::BadRequest, "the body ended early or is not valid HTTP")),
        Err(_) => Err(ApiError::new(Code::Timeout, "the body did not arrive in time; send it at once")
            .retry_after_ms(1_000)),
    }
}

/// Returns `None` for a body over the bound.
async fn collect(mut body: axum::body::Body, bytes_max: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut collected = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen += data.len();
        if seen <= bytes_max {
            collected.extend_from_slice(&data);
        } else if seen > DISCARDED_BYTES_MAX {
            break;
        }
    }
    Ok((seen <= bytes_max).then(|| collected.freeze()))
}

/// Parses a JSON body, which is an object.
///
/// # Errors
/// When the body is not UTF-8, not a JSON object, or of another shape. The message names the place.
pub fn json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if std::str::from_utf8(body).is_err() {
        return Err(ApiError::new(Code::InvalidUtf8, "the body must be UTF-8"));
    }
    // The parser would take an array as the fields of a struct, in their order.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::new(Code::BadRequest, "the body must be a JSON object, not an array"));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::new(Code::BadRequest, format!("the body is not what this takes: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Mute {
        on: bool,
    }

    #[test]
    fn array_is_not_taken_as_the_fields_of_a_struct() {
        assert!(json::<Mute>(b" {\"on\": true}").unwrap().on);
        for bad in [&b"[true]"[..], b"\n[true]", b"true", b"{\"on\": [true]}", b"\xff"] {
            assert!(json::<Mute>(bad).is_err(), "{bad:?}");
        }
    }
}
