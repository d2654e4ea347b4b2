//! The form of every answer: the documented error body, and header fields.

use std::net::SocketAddr;

use axum::response::{IntoResponse, Response};
use barrage_protocol::Code;
use barrage_protocol::code::ErrorBody;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};

use super::error::ApiError;

/// Maximum bytes of a plain text that are copied into the documented body.
const PLAIN_BYTES_MAX: usize = 1024;

/// Adds the header fields of every answer.
pub(crate) fn add_headers(headers: &mut HeaderMap, request_id: &HeaderValue, hsts: Option<&HeaderValue>) {
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.insert("x-request-id", request_id.clone());
    if let Some(hsts) = hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
}

/// Returns the value of Strict-Transport-Security; `None` for 0 seconds.
pub(crate) fn hsts(secs: u64) -> Option<HeaderValue> {
    (secs > 0).then(|| HeaderValue::from_str(&format!("max-age={secs}")).ok())?
}

/// Gives the documented body to an error that has none. The router's own refusals (a query or path
/// that does not parse) are plain text.
pub(crate) async fn document(response: Response) -> Response {
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

/// Writes an answer straight to a socket that no HTTP server has. A new socket's buffer takes the
/// whole answer; bytes that it does not take are lost.
pub(crate) fn answer_at_once(stream: &std::net::TcpStream, peer: SocketAddr, error: ApiError) {
    let status = error.0.code.status();
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let retry_after = error.0.retry_after_ms.map_or(0, |ms| ms.div_ceil(1000));
    let body = serde_json::to_string(&ErrorBody { error: error.0 }).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {status} {}\r\nRetry-After: {retry_after}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        reason.unwrap_or("Refused"),
        body.len()
    );
    let mut stream = stream;
    let written = std::io::Write::write(&mut stream, answer.as_bytes());
    if let Err(error) = written.and_then(|_| stream.shutdown(std::net::Shutdown::Write)) {
        tracing::debug!(%error, %peer, "a refused connection closed before its answer");
    }
}
