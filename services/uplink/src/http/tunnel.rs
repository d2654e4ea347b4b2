//! The handler of `POST /v1/tunnel`: requests inside a binary body, for networks that alter other
//! requests. Each request is a `u32` length in big-endian order and that many bytes of JSON; the
//! answers have the same form.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, ClientAddr, ClientLimits, body};
use barrage_protocol::Code;
use barrage_protocol::code::ErrorBody;
use http::{Method, Request, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tower_service::Service;

use super::history::TunnelMemory;
use crate::answer_memory::AnswerMemory;
use crate::config::UplinkConfig;

/// Maximum requests in one body; a body with more is refused whole.
const REQUESTS_MAX: usize = 16;
/// Beginnings of the paths that a request inside may have.
const PATHS: [&str; 7] = [
    "/v1/rooms/",
    "/v1/users/",
    "/v1/conversations/",
    "/v1/inbox",
    "/v1/groups",
    "/v1/blocks/",
    "/v1/reports",
];
/// Maximum answer of a request inside that is not a `GET`, in bytes: a package of 64 posts. That
/// much is reserved for each post, so that every accepted post is answered.
const POST_ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an answer besides its body.
const ANSWER_FRAME_BYTES: usize = 64;
/// Minimum bytes for the answer of a `GET`. With fewer left the request is refused.
const GET_ANSWER_BYTES_MIN: usize = 4 * 1024;

/// The state of the handler: inner routes, memory for answers, bounds of bodies.
pub(super) struct Tunnel {
    /// The routes that a request inside may call.
    inner: Router,
    memory: Arc<AnswerMemory>,
    body_bytes_max: usize,
    body_timeout: Duration,
}

impl Tunnel {
    pub(super) fn new(inner: Router, config: &UplinkConfig, memory: Arc<AnswerMemory>) -> Self {
        Tunnel {
            inner: inner.fallback(barrage_http::error::not_found),
            memory,
            body_bytes_max: config.package_bytes_max,
            body_timeout: Duration::from_secs(config.body_secs),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    method: String,
    path: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Answer {
    status: u16,
    body: Box<RawValue>,
}

/// Answers the requests of one body, in their order.
pub(super) async fn handle(
    State(tunnel): State<Arc<Tunnel>>,
    client: axum::Extension<ClientAddr>,
    limits: Option<axum::Extension<ClientLimits>>,
    request_body: Body,
) -> Result<Response, ApiError> {
    let bytes = body::read(request_body, tunnel.body_bytes_max, tunnel.body_timeout).await?;
    let requests = parse(&bytes)?;
    let limits = limits.map(|axum::Extension(limits)| limits);
    if let Some(limits) = &limits {
        limits.take_tunnel(requests.len())?;
    }
    let is_get = |inner: &Inner| inner.method == "GET";
    // Posts have memory of their own: they never wait for memory that readers hold.
    let reserved = match requests.iter().any(is_get) {
        true => Some(tunnel.memory.reserve().await?),
        false => None,
    };
    let posts = requests.iter().filter(|inner| !is_get(inner)).count();
    let mut left = tunnel.memory.answer_bytes_max().saturating_sub(posts * POST_ANSWER_BYTES_MAX);
    let mut out = Vec::new();
    for inner in requests {
        let is_get = is_get(&inner);
        let bytes_max = if is_get { left } else { POST_ANSWER_BYTES_MAX };
        // A refusal answers one request. The requests before it have taken effect.
        let result = match is_get && left < GET_ANSWER_BYTES_MIN {
            true => Err(full()),
            false => call(&tunnel.inner, inner, *client, limits.as_ref(), bytes_max).await,
        };
        let answer = result.unwrap_or_else(refusal);
        let json = serde_json::to_vec(&answer).expect("answers are plain data");
        if is_get {
            left = left.saturating_sub(json.len());
        }
        let len = u32::try_from(json.len()).expect("answers are bounded");
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&json);
    }
    let out = match reserved {
        Some(reserved) => reserved.hold(out),
        None => out.into(),
    };
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], out).into_response())
}

fn full() -> ApiError {
    let message = "the answers before this one filled the tunnel; send this request again in another body";
    ApiError::new(Code::Overloaded, message)
}

fn refusal(error: ApiError) -> Answer {
    let status = error.0.code.status();
    let body =
        serde_json::value::to_raw_value(&ErrorBody { error: error.0 }).expect("refusals are plain data");
    Answer { status, body }
}

fn parse(mut bytes: &[u8]) -> Result<Vec<Inner>, ApiError> {
    let bad = |why: &str| {
        ApiError::new(Code::BadRequest, format!("the tunnel's body is not framed as documented: {why}"))
    };
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| bad("a length is cut short"))?;
        let len = u32::from_be_bytes(*len) as usize;
        if len > rest.len() {
            return Err(bad("a request is cut short"));
        }
        if requests.len() == REQUESTS_MAX {
            return Err(bad(&format!("at most {REQUESTS_MAX} requests")));
        }
        requests.push(body::json(&rest[..len])?);
        bytes = &rest[len..];
    }
    if requests.is_empty() { Err(bad("it is empty")) } else { Ok(requests) }
}

/// Parses the body of a tunnel for the fuzz targets; returns the number of requests inside.
#[doc(hidden)]
#[must_use]
pub fn count_tunnel_requests(bytes: &[u8]) -> Option<usize> {
    parse(bytes).ok().map(|requests| requests.len())
}

async fn call(
    router: &Router,
    inner: Inner,
    client: ClientAddr,
    limits: Option<&ClientLimits>,
    bytes_max: usize,
) -> Result<Answer, ApiError> {
    let bad = |error: &dyn std::fmt::Display| {
        ApiError::new(Code::BadRequest, format!("a request in the tunnel: {error}"))
    };
    if !PATHS.iter().any(|beginning| inner.path.starts_with(beginning)) {
        return Err(bad(&format_args!("its path must begin with one of {}", PATHS.join(" "))));
    }
    // The router's own reading of the path: a fragment, for one, is no part of it.
    let uri = inner.path.parse::<Uri>().map_err(|error| bad(&error))?;
    if let Some(limits) = limits {
        limits.take_inner(uri.path())?;
    }
    let method: Method = inner.method.parse().map_err(|error| bad(&error))?;
    let mut request = Request::builder().method(method).uri(uri).extension(client);
    // The answer is wrapped in JSON with a status.
    request = request.extension(TunnelMemory { bytes_max: bytes_max.saturating_sub(ANSWER_FRAME_BYTES) });
    if let Some(token) = &inner.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body_text = inner.body.map(|body| body.get().to_owned()).unwrap_or_default();
    let request = request.body(Body::from(body_text)).map_err(|error| bad(&error))?;
    let mut router = router.clone();
    let response = match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let bytes = body::read(response.into_body(), bytes_max, Duration::from_secs(10)).await?;
    let text = String::from_utf8(bytes.to_vec()).unwrap_or_default();
    let body = RawValue::from_string(if text.is_empty() { "null".into() } else { text })
        .map_err(|_| ApiError::new(Code::Internal, "an answer is not JSON"))?;
    Ok(Answer { status, body })
}
