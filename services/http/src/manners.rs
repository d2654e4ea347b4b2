//! What every request and every answer must be, whatever its route.

use std::net::SocketAddr;

use axum::response::{IntoResponse, Response};
use barrage_protocol::Code;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use http_body_util::{BodyExt, Limited};

use crate::error::ApiError;

/// Longest path and query; a longer one is 414. Room ids and tickets need some hundred bytes.
const TARGET_BYTES_MAX: usize = 8 * 1024;
/// What is taken over of a plain text that an answer has instead of the documented body.
const PLAIN_BYTES_MAX: usize = 1024;

/// Refuses a request that RFC 9110 or 9112 does not allow, or that no route takes.
#[allow(clippy::result_large_err, reason = "it is built for a request that is refused, and moved once")]
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Response> {
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

/// Header fields of every answer.
pub(crate) fn dress(headers: &mut HeaderMap, request_id: &HeaderValue, hsts: Option<&HeaderValue>) {
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.insert("x-request-id", request_id.clone());
    if let Some(hsts) = hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
}

/// The value of Strict-Transport-Security; `None` for 0.
pub(crate) fn hsts(secs: u64) -> Option<HeaderValue> {
    (secs > 0).then(|| HeaderValue::from_str(&format!("max-age={secs}")).ok())?
}

/// Gives an error without the documented body one: the router's own refusals (a query or path
/// that does not parse) are plain text.
pub(crate) async fn documented(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_error || is_json {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = Limited::new(body, PLAIN_BYTES_MAX).collect().await.map(http_body_util::Collected::to_bytes);
    let text = text.ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    let message = text.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| {
        let reason = status.canonical_reason().unwrap_or("refused");
        format!("{reason}; docs/reference/protocol.md lists the resources")
    });
    let (of_error, body) = ApiError::new(code(status), message).into_response().into_parts();
    for name in [header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    parts.headers.extend(of_error.headers);
    parts.extensions.extend(of_error.extensions);
    Response::from_parts(parts, body)
}

fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthorized,
        403 => Code::Forbidden,
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        408 => Code::Timeout,
        409 => Code::Conflict,
        410 => Code::Gone,
        413 | 414 | 431 => Code::TooLarge,
        415 => Code::UnsupportedMedia,
        426 => Code::UpgradeRequired,
        429 => Code::RateLimited,
        503 => Code::Unavailable,
        500..=599 => Code::Internal,
        _ => Code::BadRequest,
    }
}

/// A short answer over a socket that no HTTP server has, at once and as far as its buffer takes
/// it, which for a new socket is the whole.
pub(crate) fn answer_at_once(stream: &std::net::TcpStream, peer: SocketAddr, error: ApiError) {
    let status = error.0.code.status();
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let retry_after = error.0.retry_after_ms.map_or(0, |ms| ms.div_ceil(1000));
    let body =
        serde_json::to_string(&barrage_protocol::code::ErrorBody { error: error.0 }).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {status} {}\r\nRetry-After: {retry_after}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        reason.unwrap_or("Refused"),
        body.len()
    );
    let mut stream = stream;
    let written = std::io::Write::write(&mut stream, answer.as_bytes());
    if let Err(error) = written.and_then(|_| stream.shutdown(std::net::Shutdown::Write)) {
        tracing::debug!(%error, %peer, "a refused connection went away");
    }
}
