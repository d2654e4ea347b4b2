//! Refusals as HTTP answers: status, JSON body, retry and rate-limit headers.

use axum::response::{IntoResponse, Response};
use barrage_protocol::code::{Code, ErrorBody, LimitHit, Refusal};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// A refusal that becomes an HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError(pub Refusal);

impl ApiError {
    /// Makes a refusal. `message` tells the client what was wrong and what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        ApiError(Refusal::new(code, message))
    }

    /// Adds the time in milliseconds after which the client may try again.
    #[must_use]
    pub fn retry_after_ms(self, retry_after_ms: u64) -> Self {
        ApiError(self.0.retry_after_ms(retry_after_ms))
    }
}

/// The code and message of an error answer, for the log. An extension of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// The one conversion of errors into answers: a token error, a bus error or a refusal has a code,
/// and `?` in a handler makes the answer of it.
impl<E: Into<Refusal>> From<E> for ApiError {
    fn from(error: E) -> Self {
        ApiError(error.into())
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
        // The size of a text is no rate.
        if let Some(limit) = limit.filter(|_| code != Code::BadText) {
            insert_limit(headers, &limit, retry_after_ms.unwrap_or(0));
        }
        response
    }
}

/// Adds the fields of the IETF draft on RateLimit headers. Rule names come from the configuration
/// and need no escape inside the quotes.
fn insert_limit(headers: &mut HeaderMap, limit: &LimitHit, retry_after_ms: u64) {
    let window_secs = limit.window_ms.div_ceil(1000).max(1);
    let policy = format!("\"{}\";q={};w={window_secs}", limit.rule, limit.limit);
    let state = format!("\"{}\";r={};t={}", limit.rule, limit.remaining, retry_after_ms.div_ceil(1000));
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// The fallback for paths that do not exist.
pub async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "no such resource; docs/reference/protocol.md lists them")
}

/// The fallback for methods that a resource does not take.
pub async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this resource takes another method; docs/reference/protocol.md lists them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_names_the_time_to_come_back_and_the_limit_in_headers() {
        let mut error = ApiError::new(Code::RateLimited, "too many").retry_after_ms(1_500);
        error.0.limit =
            Some(Box::new(LimitHit { limit: 5, window_ms: 3_000, ..LimitHit::rule("r", "user") }));
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let header = |name: &str| response.headers()[name].to_str().unwrap();
        assert_eq!(header("retry-after"), "2");
        assert_eq!(header("ratelimit-policy"), "\"r\";q=5;w=3");
        assert_eq!(header("ratelimit"), "\"r\";r=0;t=2");
        assert_eq!(header("cache-control"), "no-store");
    }
}
