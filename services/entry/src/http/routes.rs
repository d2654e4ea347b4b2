//! The public routes: questions, race results, and the resource that clients race for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use barrage_http::{ApiError, ClientAddr, bearer, body};
use barrage_protocol::entry::RaceReport;
use barrage_protocol::facts::NetworkType;
use barrage_protocol::{Code, RoomId};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::request_host;
use crate::entry::{Entry, Purpose, Question};
use crate::race::RESULTS_MAX;

const REPORT_BYTES_MAX: usize = 4 * 1024;
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the public routes: questions, race reports, the fallback list and the race resource.
pub fn router(entry: Arc<Entry>) -> Router {
    let race = race_router(entry.config.race_bytes);
    Router::new()
        .route("/v1/entry", get(query))
        .route("/v1/entry/race", post(report))
        .route("/v1/entry/fallback", get(fallback))
        .route("/v1/entry/probe", get(probe))
        .with_state(entry)
        .merge(race)
}

/// Returns the route of the bytes that clients race for. Gateways and uplinks serve it as well, because
/// clients measure them.
pub fn race_router(race_bytes: usize) -> Router {
    // Random bytes, which no proxy can compress.
    let bytes: Bytes = (0..race_bytes).map(|_| rand::random::<u8>()).collect();
    Router::new().route("/v1/race", get(resource)).with_state(bytes)
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EntryQuery {
    /// Room that the client wants to join or send to.
    #[schemars(with = "RoomId")]
    room: String,
    /// Whether the client takes a slot of the join queue.
    #[serde(default)]
    purpose: Purpose,
    /// Type of the client's network, which chooses `media.piece_bytes`: `wifi`, `cellular` or `ethernet`.
    network: Option<String>,
}

/// Answers where to connect for a room.
async fn query(
    State(entry): State<Arc<Entry>>,
    query: Result<Query<EntryQuery>, QueryRejection>,
    Extension(ClientAddr(address)): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    entry.limit(address).await?;
    let Query(query) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room =
        RoomId::parse(&query.room).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
    match entry.bus.settings().borrow().rooms.get(&room) {
        None => return Err(ApiError::new(Code::UnknownRoom, "there is no such room")),
        Some(found) if found.closed => return Err(ApiError::new(Code::RoomClosed, "the room is closed")),
        Some(_) => {}
    }
    let network = query.network.as_deref().map_or_else(NetworkType::default, NetworkType::parse);
    respond(&entry, Question { room: Some(&room), purpose: query.purpose, network }, &headers, address)
}

/// Answers a probe with every gateway and uplink. Needs a token of the role probe.
async fn probe(
    State(entry): State<Arc<Entry>>,
    Extension(ClientAddr(address)): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    entry.limit(address).await?;
    let token = bearer(&headers).ok_or_else(|| {
        ApiError::new(Code::Unauthorized, "a token of the role probe is needed, as a bearer token")
    })?;
    let targets = entry.probe_targets(token, request_host(&headers)?)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(targets)).into_response())
}

/// Returns a list that a client can embed, for use while entry is away. `{room}` stands for the
/// room.
async fn fallback(
    State(entry): State<Arc<Entry>>,
    Extension(ClientAddr(address)): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    entry.limit(address).await?;
    respond(
        &entry,
        Question { room: None, purpose: Purpose::Watch, network: NetworkType::default() },
        &headers,
        address,
    )
}

fn respond(
    entry: &Entry,
    question: Question<'_>,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Response, ApiError> {
    let answer = entry.answer(question, request_host(headers)?, address)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Returns the bytes that clients race for.
async fn resource(State(bytes): State<Bytes>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, bytes).into_response()
}

/// Takes the race times that a client measured.
async fn report(
    State(entry): State<Arc<Entry>>,
    Extension(ClientAddr(address)): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<StatusCode, ApiError> {
    let bytes = body::read(request_body, REPORT_BYTES_MAX, REPORT_TIMEOUT).await?;
    let report: RaceReport = body::json(&bytes)?;
    if report.results.len() + report.uplinks.len() > RESULTS_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("results and uplinks: at most {RESULTS_MAX}")));
    }
    entry.take_race_report(&report, request_host(&headers).ok(), address);
    Ok(StatusCode::NO_CONTENT)
}
