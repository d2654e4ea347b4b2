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
use barrage_http::{ApiError, ClientAddr, body};
use barrage_protocol::entry::RaceReport;
use barrage_protocol::{Code, RoomId};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::answer::request_host;
use crate::entry::{Entry, Purpose, Question};
use crate::placement::RESULTS_MAX;

const REPORT_BYTES_MAX: usize = 4 * 1024;
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the public routes: questions, race reports, the fallback list and the race resource.
pub fn router(entry: Arc<Entry>) -> Router {
    Router::new()
        .route("/v1/entry", get(query))
        .route("/v1/entry/race", post(report))
        .route("/v1/entry/fallback", get(fallback))
        .route("/v1/race", get(resource))
        .with_state(entry)
}

#[derive(Debug, Deserialize)]
struct EntryQuery {
    room: String,
    #[serde(default)]
    purpose: Purpose,
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
    respond(&entry, Question { room: Some(&room), purpose: query.purpose }, &headers, address)
}

/// Returns a list that a client can embed, for use while entry is away. `{room}` stands for the
/// room.
async fn fallback(
    State(entry): State<Arc<Entry>>,
    Extension(ClientAddr(address)): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    entry.limit(address).await?;
    respond(&entry, Question { room: None, purpose: Purpose::Watch }, &headers, address)
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
async fn resource(State(entry): State<Arc<Entry>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, entry.race_resource()).into_response()
}

/// Takes the race times that a client measured.
async fn report(State(entry): State<Arc<Entry>>, request_body: Body) -> Result<StatusCode, ApiError> {
    let bytes = body::read(request_body, REPORT_BYTES_MAX, REPORT_TIMEOUT).await?;
    let report: RaceReport = body::json(&bytes)?;
    if report.results.len() > RESULTS_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("results: at most {RESULTS_MAX}")));
    }
    entry.take_race_report(&report);
    Ok(StatusCode::NO_CONTENT)
}
