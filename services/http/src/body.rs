//! Request bodies, bounded in size and time.

use std::time::Duration;

use barrage_protocol::Code;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::ApiError;

/// What is read and thrown away of a body that is too large, so that its sender,
/// who is still writing, gets the answer and not a reset; a larger one is cut off.
const DISCARDED_BYTES_MAX: usize = 4 << 20;

/// Reads a whole body of at most `bytes_max` within `deadline`.
pub async fn read(body: axum::body::Body, bytes_max: usize, deadline: Duration) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(deadline, collect(body, bytes_max)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(ApiError::new(Code::TooLarge, format!("the body may have {bytes_max} bytes"))),
        Ok(Err(_)) => Err(ApiError::new(Code::BadRequest, "the body ended early or is not valid HTTP")),
        Err(_) => Err(ApiError::new(Code::Timeout, "the body did not arrive in time; send it at once")
            .retry_after_ms(1_000)),
    }
}

/// `None` is a body over the bound.
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

/// Parses a JSON body; says where it is wrong.
pub fn json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if std::str::from_utf8(body).is_err() {
        return Err(ApiError::new(Code::InvalidUtf8, "the body must be UTF-8"));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::new(Code::BadRequest, format!("the body is not what this takes: {error}")))
}
