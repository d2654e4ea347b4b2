//! The parts of tus 1.0 that every route of uploads has: version, options and header fields.

use std::time::{Duration, UNIX_EPOCH};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use barrage_http::ApiError;
use barrage_protocol::Code;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::upload::{Algorithm, one};

/// Version of tus that the server speaks.
const VERSION: &str = "1.0.0";
const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation";

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub(super) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(super) const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// Methods, request fields and answer fields that a page of another origin may use.
pub(super) const METHODS: [Method; 5] =
    [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE];
pub(super) const REQUEST_FIELDS: [&str; 10] = [
    "tus-resumable",
    "x-http-method-override",
    "upload-length",
    "upload-defer-length",
    "upload-offset",
    "upload-metadata",
    "upload-concat",
    "upload-checksum",
    "range",
    "if-range",
];
pub(super) const ANSWER_FIELDS: [&str; 14] = [
    "location",
    "tus-resumable",
    "tus-version",
    "tus-extension",
    "tus-max-size",
    "tus-checksum-algorithm",
    "upload-length",
    "upload-defer-length",
    "upload-offset",
    "upload-metadata",
    "upload-concat",
    "upload-expires",
    "content-range",
    "etag",
];

/// Refuses a request of another version of tus.
#[allow(clippy::result_large_err, reason = "the answer is built once, for a refused request")]
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Response> {
    match one(headers, "tus-resumable") {
        Ok(Some(VERSION)) => Ok(()),
        _ => {
            let message = "this server speaks tus 1.0.0: send `Tus-Resumable: 1.0.0`";
            let mut refused = ApiError::new(Code::BadRequest, message).into_response();
            *refused.status_mut() = StatusCode::PRECONDITION_FAILED;
            refused.headers_mut().insert("tus-version", HeaderValue::from_static(VERSION));
            Err(refused)
        }
    }
}

/// Answers OPTIONS of a client that asks what the server can. A preflight of a browser goes on, to the CORS layer.
pub(super) async fn options(bytes_max: u64, request: Request, next: Next) -> Response {
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let is_options = request.method() == Method::OPTIONS && request.uri().path().starts_with("/v1/uploads");
    if !is_options || is_preflight {
        return next.run(request).await;
    }
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    headers.insert("tus-version", HeaderValue::from_static(VERSION));
    headers.insert("tus-extension", HeaderValue::from_static(EXTENSIONS));
    headers.insert("tus-max-size", HeaderValue::from(bytes_max));
    headers.insert("tus-checksum-algorithm", HeaderValue::from_static(Algorithm::ALL));
    answer
}

/// Adds the fields that every answer of tus has.
pub(super) async fn add_version(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    answer.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    answer.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// Returns a time as HTTP writes it.
pub(super) fn http_date(unix_ms: u64) -> HeaderValue {
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(unix_ms));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}
