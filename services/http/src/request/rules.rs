//! The rules of HTTP that every request must keep, whatever its route.

use axum::response::{IntoResponse, Response};
use barrage_protocol::Code;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, Uri, Version, header};

use crate::answer::error::ApiError;

/// Maximum bytes of path and query; a longer one gets 414. Room ids and tickets need some hundred
/// bytes.
const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Gives a request of HTTP/2 the form of HTTP/1.1: the authority becomes the Host header, and the
/// target is the path alone, so that every check of the host sees both versions.
#[allow(clippy::result_large_err, reason = "the answer is built once, for a refused request")]
pub(crate) fn name_host(parts: &mut Parts) -> Result<(), Response> {
    let Some(authority) = parts.uri.authority() else { return Ok(()) };
    let authority = authority.as_str();
    let is_other = |host: &HeaderValue| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    if authority.contains('@') || parts.headers.get_all(header::HOST).iter().any(is_other) {
        let message = "the Host header and :authority must name the same host (RFC 9113, 8.3.1)";
        return Err(ApiError::new(Code::BadRequest, message).into_response());
    }
    if let Ok(host) = HeaderValue::from_str(authority) {
        parts.headers.insert(header::HOST, host);
    }
    if let Some(path) = parts.uri.path_and_query() {
        parts.uri = Uri::from(path.clone());
    }
    Ok(())
}

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
    fn authority_of_http2_becomes_the_host() {
        let named = |uri: &str, host: Option<&str>| {
            let mut request = Request::builder().uri(uri);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            let mut parts = request.body(()).unwrap().into_parts().0;
            let is_ok = name_host(&mut parts).is_ok();
            let host = parts.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
            is_ok.then_some((host.unwrap_or_default(), parts.uri.to_string()))
        };
        let form = |host: &str, target: &str| Some((host.to_owned(), target.to_owned()));
        assert_eq!(named("https://a:1/b?c=d", None), form("a:1", "/b?c=d"));
        assert_eq!(named("https://a/b", Some("A")), form("a", "/b"));
        assert_eq!(named("https://a/b", Some("evil")), None);
        assert_eq!(named("https://evil@a/b", None), None);
        assert_eq!(named("/b", Some("a")), form("a", "/b"), "no :authority");
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
