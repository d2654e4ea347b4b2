//! One attempt of a post at one uplink, as an ordinary request or through the tunnel.

use std::time::Duration;

use barrage_protocol::Code;
use barrage_protocol::code::{ErrorBody, Refusal};
use barrage_tls::reason;
use bytes::Bytes;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::transport::UplinkTransport;
use super::tunnel;
use crate::http::HttpPool;

/// Largest answer of an uplink in bytes; a longer one is no answer of Barrage.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Request that is made of every uplink and transport alike.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Path of the resource, such as `/v1/rooms/demo/messages`.
    pub(super) path: String,
    pub(super) token: String,
    /// Body; `None` for a `GET`.
    pub(super) json: Option<Bytes>,
}

/// Result of one attempt.
pub(super) enum Attempt<T> {
    Done(T),
    Refused(Refusal),
    /// No answer of Barrage came.
    Failed(String),
}

/// Makes the request once at `uplink`.
pub(super) async fn make<T: DeserializeOwned>(
    pool: &HttpPool,
    transport: UplinkTransport,
    uplink: &str,
    request: &Request,
    timeout: Duration,
) -> Attempt<T> {
    let sent = match transport {
        UplinkTransport::Http => pool
            .http
            .request(request.method.clone(), format!("{uplink}{}", request.path))
            .bearer_auth(&request.token)
            .header("content-type", "application/json")
            .body(request.json.clone().unwrap_or_default()),
        UplinkTransport::Tunnel => pool
            .http
            .post(format!("{uplink}/v1/tunnel"))
            .header("content-type", "application/octet-stream")
            .body(tunnel::encode(request)),
    };
    let answered = async {
        let response = pool.send(sent).await?;
        let status = response.status();
        Ok::<_, reqwest::Error>((status, read(response).await?))
    };
    let (status, body) = match tokio::time::timeout(timeout, answered).await {
        Ok(Ok((status, Some(body)))) => (status, body),
        Ok(Ok((_, None))) => return Attempt::Failed("the answer is too large".into()),
        Ok(Err(error)) => return Attempt::Failed(reason(&error.without_url())),
        Err(_) => return Attempt::Failed("no answer within the timeout".into()),
    };
    match transport {
        UplinkTransport::Tunnel if status.is_success() => match tunnel::decode(&body) {
            Ok((status, body)) => read_answer(transport, status, &body),
            Err(why) => Attempt::Failed(format!("not an answer of the tunnel: {why}")),
        },
        UplinkTransport::Tunnel => match read_answer(transport, status, &body) {
            Attempt::Refused(refusal) if is_of_resource(refusal.code) => Attempt::Failed(refusal.message),
            answer => answer,
        },
        UplinkTransport::Http => read_answer(transport, status, &body),
    }
}

/// Whether a refusal is about the tunnel itself, such as that of a server without one, and not about the
/// request inside.
fn is_of_resource(code: Code) -> bool {
    matches!(code, Code::BadRequest | Code::NotFound | Code::MethodNotAllowed)
}

/// Reads a body up to the limit; `None` beyond it.
pub(super) async fn read(mut response: reqwest::Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn read_answer<T: DeserializeOwned>(
    transport: UplinkTransport,
    status: StatusCode,
    body: &[u8],
) -> Attempt<T> {
    if status.is_success() {
        return match serde_json::from_slice(body) {
            Ok(answer) => Attempt::Done(answer),
            // Such as the page of a captive portal.
            Err(error) => Attempt::Failed(format!("not an answer of Barrage: {error}")),
        };
    }
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(body) => Attempt::Refused(body.error),
        // Not an answer of Barrage: a proxy, or a wrong URL. On the tunnel it shows nothing about the post.
        Err(_) if transport == UplinkTransport::Http && is_lasting(status) => {
            Attempt::Refused(Refusal::new(Code::BadRequest, format!("status {status}")))
        }
        Err(_) => Attempt::Failed(format!("status {status}")),
    }
}

/// Whether a repeated request would get the same status.
fn is_lasting(status: StatusCode) -> bool {
    use StatusCode as S;
    status.is_client_error() && !matches!(status, S::REQUEST_TIMEOUT | S::TOO_EARLY | S::TOO_MANY_REQUESTS)
}
