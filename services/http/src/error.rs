//! Refusals as HTTP answers.

use axum::response::{IntoResponse, Response};
use barrage_protocol::code::{Code, ErrorBody, Refusal};
use http::{HeaderValue, StatusCode, header};

/// A refusal on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError(pub Refusal);

impl ApiError {
    /// A refusal with a sentence that says what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        ApiError(Refusal::new(code, message))
    }

    /// The same with a time to come back, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(self, retry_after_ms: u64) -> Self {
        ApiError(self.0.retry_after_ms(retry_after_ms))
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        ApiError(refusal)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after_ms = self.0.retry_after_ms;
        let mut response = (status, axum::Json(ErrorBody { error: self.0 })).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(ms) = retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        }
        response
    }
}

/// Fallback for paths that do not exist.
pub async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "no such resource; docs/protocol.md lists them")
}

/// Fallback for methods that a resource does not take.
pub async fn method_not_allowed() -> ApiError {
    ApiError::new(Code::MethodNotAllowed, "this resource takes another method; docs/protocol.md lists them")
}
