//! The same requests inside of a binary body, for networks that mangle others:
//! each `u32` big-endian length and so many bytes of JSON, answered alike.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, ClientAddr, ClientLimits, body};
use barrage_protocol::Code;
use barrage_protocol::code::ErrorBody;
use http::{Method, Request, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tower_service::Service;

use crate::history::Within;
use crate::routes::Uplink;

const REQUESTS_MAX: usize = 16;
/// Largest answer of one request inside that is no `GET`, in bytes: a package of 64 posts. So
/// much is set aside for each, so that what was done is always answered.
const POST_ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an answer beside its body.
const ANSWER_FRAME_BYTES: usize = 64;
/// A `GET` for which fewer bytes are left is not done.
const GET_ANSWER_BYTES_MIN: usize = 4 * 1024;

pub(crate) struct Tunnel {
    pub(crate) inner: Router,
    pub(crate) uplink: Arc<Uplink>,
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

pub(crate) async fn handle(
    State(tunnel): State<Arc<Tunnel>>,
    client: axum::Extension<ClientAddr>,
    limits: Option<axum::Extension<ClientLimits>>,
    request_body: Body,
) -> Result<Response, ApiError> {
    let config = &tunnel.uplink.config;
    let bytes =
        body::read(request_body, config.package_bytes_max, Duration::from_secs(config.body_secs)).await?;
    let requests = parse(&bytes)?;
    let limits = limits.map(|axum::Extension(limits)| limits);
    if let Some(limits) = &limits {
        limits.take_tunnel(requests.len())?;
    }
    let is_get = |inner: &Inner| inner.method == "GET";
    // Posts are answered from what they set aside: they never wait for memory that readers hold.
    let reserved = match requests.iter().any(is_get) {
        true => Some(tunnel.uplink.answers.reserve().await?),
        false => None,
    };
    let posts = requests.iter().filter(|inner| !is_get(inner)).count();
    let mut left = tunnel.uplink.answers.bytes_max().saturating_sub(posts * POST_ANSWER_BYTES_MAX);
    let mut out = Vec::new();
    for inner in requests {
        let is_get = is_get(&inner);
        let bytes_max = if is_get { left } else { POST_ANSWER_BYTES_MAX };
        // A refusal of one request is its own answer: those before it have happened.
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
    if !inner.path.starts_with("/v1/rooms/") {
        return Err(bad(&"its path must begin with /v1/rooms/"));
    }
    let is_history = inner.path.split('?').next().is_some_and(|path| path.ends_with("/history"));
    if let Some(limits) = limits.filter(|_| is_history) {
        limits.take_history()?;
    }
    let method: Method = inner.method.parse().map_err(|error| bad(&error))?;
    let mut request = Request::builder().method(method).uri(&inner.path).extension(client);
    // The answer is wrapped: its own length, and a status.
    request = request.extension(Within { bytes_max: bytes_max.saturating_sub(ANSWER_FRAME_BYTES) });
    if let Some(token) = &inner.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body_text = inner.body.map(|body| body.get().to_owned()).unwrap_or_default();
    let request = request.body(Body::from(body_text)).map_err(|error| bad(&error))?;
    let mut router = router.clone().fallback(barrage_http::error::not_found);
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
