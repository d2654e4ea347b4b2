//! Request bodies, bounded in size and time.

use std::time::Duration;

use axum::body::HttpBody;
use barrage_protocol::Code;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::ApiError;

/// Reads a whole body of at most `bytes_max` within `deadline`.
pub async fn read(body: axum::body::Body, bytes_max: usize, deadline: Duration) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::new(Code::TooLarge, format!("the body may have {bytes_max} bytes"));
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(deadline, Limited::new(body, bytes_max).collect()).await;
    match collected {
        Err(_) => Err(ApiError::new(Code::Timeout, "the body did not arrive in time; send it at once")
            .retry_after_ms(1_000)),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::new(Code::BadRequest, "the body ended early or is not valid HTTP")),
    }
}

/// Parses a JSON body; says where it is wrong.
pub fn json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if std::str::from_utf8(body).is_err() {
        return Err(ApiError::new(Code::InvalidUtf8, "the body must be UTF-8"));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::new(Code::BadRequest, format!("the body is not what this takes: {error}")))
}
