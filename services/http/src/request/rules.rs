//! The rules of HTTP that every request must keep, whatever its route.

use axum::response::{IntoResponse, Response};
use barrage_protocol::Code;
use http::{Request, StatusCode, Version, header};

use crate::answer::error::ApiError;

/// Maximum bytes of path and query; a longer one gets 414. Room ids and tickets need some hundred
/// bytes.
const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Refuses a request that RFC 9110 or 9112 does not allow, or that no route takes.
#[allow(clippy::result_large_err, reason = "the answer is built once, for a refused request")]
pub(crate) fn check_rules<B>(request: &Request<B>) -> Result<(), Response> {
    let bad = |why: &str| Err(ApiError::new(Code::BadRequest, why).into_response());
    let mut hosts = request.headers().get_all(header::HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() >= Version::HTTP_11 => {
            return bad("a request needs a Host header (RFC 9112, 3.2)");
        }
        (Some(_), Some(_)) => return bad("a request may have one Host header (RFC 9112, 3.2)"),
        _ => {}
    }
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
        let message = format!("a path with its query may have {TARGET_BYTES_MAX} bytes");
        let mut response = ApiError::new(Code::TooLarge, message).into_response();
        *response.status_mut() = StatusCode::URI_TOO_LONG;
        return Err(response);
    }
    let codings = request.headers().get_all(header::CONTENT_ENCODING);
    if codings.into_iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let message = "a request's body must not be encoded: leave Content-Encoding out";
        return Err(ApiError::new(Code::UnsupportedMedia, message).into_response());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: http::request::Builder) -> Option<u16> {
        check_rules(&request.body(()).unwrap()).err().map(|response| response.status().as_u16())
    }

    #[test]
    fn request_needs_one_host_a_short_target_and_no_encoding() {
        let request = || Request::builder().header("host", "h");
        assert_eq!(status(request()), None);
        assert_eq!(status(Request::builder()), Some(400));
        assert_eq!(status(request().header("host", "i")), Some(400));
        assert_eq!(status(request().uri(format!("/{}", "x".repeat(TARGET_BYTES_MAX)))), Some(414));
        assert_eq!(status(request().header("content-encoding", "gzip")), Some(415));
        assert_eq!(status(request().header("content-encoding", "identity")), None);
    }
}
