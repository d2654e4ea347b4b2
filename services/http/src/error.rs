//! Refusals as HTTP answers.

use axum::response::{IntoResponse, Response};
use barrage_protocol::code::{Code, ErrorBody, LimitHit, Refusal};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

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

/// Why an answer is an error, for the log; an extension of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    pub(crate) code: Code,
    pub(crate) message: String,
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
        let limit = self.0.limit.clone();
        let code = self.0.code;
        let cause = (status.is_server_error()).then(|| Cause { code, message: self.0.message.clone() });
        let mut response = (status, axum::Json(ErrorBody { error: self.0 })).into_response();
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        let headers = response.headers_mut();
        if code == Code::UpgradeRequired {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(ms) = retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        }
        if let Some(limit) = limit {
            insert_limit(headers, &limit, retry_after_ms.unwrap_or(0));
        }
        response
    }
}

/// The fields of the IETF draft on RateLimit headers. Rule names are our own words
/// and need no quoting beyond the quotes.
fn insert_limit(headers: &mut HeaderMap, limit: &LimitHit, retry_after_ms: u64) {
    let window_secs = limit.window_ms.div_ceil(1000).max(1);
    let policy = format!("\"{}\";q={};w={window_secs}", limit.rule, limit.limit);
    let now = format!("\"{}\";r={};t={}", limit.rule, limit.remaining, retry_after_ms.div_ceil(1000));
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", now)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Fallback for paths that do not exist.
pub async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "no such resource; docs/reference/protocol.md lists them")
}

/// Fallback for methods that a resource does not take.
pub async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this resource takes another method; docs/reference/protocol.md lists them",
    )
}
