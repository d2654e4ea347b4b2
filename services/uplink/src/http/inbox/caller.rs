//! The user of a request, and the forms of paths, bodies and answers.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, ClientAddr, bearer, body};
use barrage_inbox::ConversationId;
use barrage_protocol::{Code, UserId};
use barrage_token::{Identity, Role};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::guest_id::is_guest;
use crate::inbox::InboxControl;
use crate::uplink::Uplink;

/// Size from which an answer is compressed, in bytes. A smaller one fits into one packet.
const PACKED_BYTES_MIN: usize = 1_200;

/// Returns the inbox of a server that has one, and the user of a request.
pub(super) fn user<'a>(
    uplink: &'a Arc<Uplink>,
    headers: &HeaderMap,
) -> Result<(&'a InboxControl, Identity), ApiError> {
    let token = bearer(headers).ok_or_else(|| {
        ApiError::new(Code::Unauthorized, "send a token in the header `Authorization: Bearer ...`")
    })?;
    // Letters belong to no room: any room of the token will do.
    let by = uplink.keyring.verify(token)?;
    let inbox = uplink.inbox.as_ref();
    let inbox = inbox.ok_or_else(|| ApiError::new(Code::Forbidden, "letters are off on this server"))?;
    if is_guest(&by.user) || by.role == Role::Probe {
        return Err(ApiError::new(Code::Forbidden, "guests have no inbox; sign in"));
    }
    Ok((inbox, by))
}

/// Returns the user of a request that changes something, which counts against the limits.
pub(super) async fn sender<'a>(
    uplink: &'a Arc<Uplink>,
    headers: &HeaderMap,
    client: ClientAddr,
) -> Result<(&'a InboxControl, Identity), ApiError> {
    let (inbox, by) = user(uplink, headers)?;
    let switches = uplink.bus.settings().borrow().switches.clone();
    if (switches.read_only || switches.no_letters) && by.role < Role::Admin {
        let refusal = ApiError::new(Code::Unavailable, "letters are switched off just now");
        return Err(refusal.retry_after_ms(1_000));
    }
    uplink.pipeline.admit_letters(client.0, &by).await?;
    Ok((inbox, by))
}

/// Reads a JSON body of a bounded size.
pub(super) async fn read<T: DeserializeOwned>(
    uplink: &Uplink,
    request_body: Body,
    bytes_max: usize,
) -> Result<T, ApiError> {
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, bytes_max, deadline).await?;
    body::json(&bytes)
}

/// Returns the query of a request.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(ApiError::new(Code::BadRequest, rejection.body_text())),
    }
}

/// Parses the id of a conversation in a path.
pub(super) fn conversation(text: &str) -> Result<ConversationId, ApiError> {
    ConversationId::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// Parses the id of a user in a path.
pub(super) fn user_id(text: &str) -> Result<UserId, ApiError> {
    UserId::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// Makes an answer as [`respond`] does, compressed where the client takes gzip: a whole inbox is 150 KB of text.
pub(super) fn respond_packed<T: Serialize>(
    uplink: &Uplink,
    headers: &HeaderMap,
    answer: Result<T, ApiError>,
) -> Response {
    let Ok(value) = &answer else { return respond(uplink, answer) };
    let text = serde_json::to_vec(value).expect("answers are plain data");
    if text.len() < PACKED_BYTES_MIN || !takes_gzip(headers) {
        return respond(uplink, answer);
    }
    let mut packed = GzEncoder::new(Vec::with_capacity(text.len() / 3), Compression::fast());
    // Writing to memory cannot fail.
    let Ok(body) = packed.write_all(&text).and_then(|()| packed.finish()) else {
        return respond(uplink, answer);
    };
    let fields = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_ENCODING, "gzip"),
        (header::VARY, "accept-encoding"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (fields, body).into_response()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = texts.flat_map(|text| text.split(','));
    codings.any(|coding| coding.trim().split(';').next() == Some("gzip") && !coding.contains("q=0"))
}

/// Makes an answer that no cache keeps, and counts a refusal by its code.
pub(super) fn respond<T: Serialize>(uplink: &Uplink, answer: Result<T, ApiError>) -> Response {
    let mut response = match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            uplink.metrics.refused(error.0.code);
            return error.into_response();
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
