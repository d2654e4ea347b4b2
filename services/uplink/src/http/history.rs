//! The handler of `GET .../history`: pages of stored messages.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::post::History;
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_store::HISTORY_LIMIT_MAX;
use barrage_token::Identity;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::export::{self, ExportFormat, Part, Reader};
use super::history_access::authorize;
use crate::answer_memory::{AnswerMemory, Reserved};
use crate::history::{Ready, Span, View, WINDOW_MESSAGES, page};
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Messages of a page when the query has no `limit`.
const LIMIT_DEFAULT: usize = 100;
/// The state of the handler: the uplink, and memory for answers.
#[derive(Clone)]
pub(super) struct HistoryState {
    pub(super) uplink: Arc<Uplink>,
    pub(super) memory: Arc<AnswerMemory>,
}

/// Memory that the tunnel reserved for the answer of a request inside. A request extension.
#[derive(Debug, Clone, Copy)]
pub(super) struct TunnelMemory {
    pub(super) bytes_max: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// Messages after this position, oldest first.
    after: Option<u64>,
    /// Messages before this position. Without any position: the newest messages.
    before: Option<u64>,
    /// Start of a range of offsets into the stream, in milliseconds; needs `to_ms`.
    from_ms: Option<u64>,
    /// End of that range, which is not part of it.
    to_ms: Option<u64>,
    /// Messages of a page, 1 to 1,000; 100 when absent.
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<usize>,
    /// Format of a file with the whole stream, or with the range of offsets; goes with no position and no
    /// `limit`. Without it: a page as JSON.
    format: Option<ExportFormat>,
}

impl HistoryQuery {
    fn span(&self) -> Result<Span, ApiError> {
        match *self {
            HistoryQuery {
                from_ms: Some(from_ms), to_ms: Some(to_ms), after: None, before: None, ..
            } if from_ms < to_ms => Ok(Span::Offsets { from_ms, to_ms }),
            HistoryQuery { from_ms: None, to_ms: None, after, before, .. } => match (after, before) {
                (Some(_), Some(_)) => {
                    Err(ApiError::new(Code::BadRequest, "give `after` or `before`, not both"))
                }
                (Some(after), None) => Ok(Span::After(Sequence(after))),
                (None, before) => Ok(Span::Before(before.map(Sequence))),
            },
            _ => {
                Err(ApiError::new(Code::BadRequest, "give both `from_ms` and `to_ms`, in this order, alone"))
            }
        }
    }
}

/// Returns one page of the room's history, and counts the time that it took.
pub(super) async fn handle(
    State(state): State<HistoryState>,
    Path(room): Path<String>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
    tunnel: Option<Extension<TunnelMemory>>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let timer = state.uplink.metrics.history_duration.start_timer();
    let answer = answer(&state, &room, query, tunnel, client, &headers).await;
    timer.observe_duration();
    answer
}

async fn answer(
    HistoryState { uplink, memory }: &HistoryState,
    room: &str,
    query: Result<Query<HistoryQuery>, QueryRejection>,
    tunnel: Option<Extension<TunnelMemory>>,
    client: ClientAddr,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = parse_room_id(room)?;
    let caller = authorize(uplink, &room, headers)?;
    if let Some(format) = query.format {
        if tunnel.is_some() {
            return Err(ApiError::new(Code::BadRequest, "format: the tunnel has no room for an export"));
        }
        let HistoryQuery { after: None, before: None, limit: None, from_ms, to_ms, .. } = query else {
            return Err(ApiError::new(Code::BadRequest, "format: goes with `from_ms` and `to_ms` alone"));
        };
        // What is accepted from now on is not of the export: a delay that begins while it is written hides
        // nothing of it, and the export of a live room ends.
        let now_ms = barrage_clock::unix_ms();
        let shown_to_ms = view(uplink, &room, caller.as_ref()).shown_to_ms(now_ms).min(now_ms);
        let part = Part::of(from_ms, to_ms, shown_to_ms)?;
        return export::answer(uplink, &room, format, part, Reader::Viewer(client, caller)).await;
    }
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {HISTORY_LIMIT_MAX}")));
    }
    let span = query.span()?;
    let view = view(uplink, &room, caller.as_ref());
    let tunnel_bytes_max = tunnel.map(|Extension(TunnelMemory { bytes_max })| bytes_max);
    if let (View::Viewers { delay_ms }, Span::Before(before)) = (view, span)
        && limit <= WINDOW_MESSAGES
    {
        let window = uplink.history.window(&room, delay_ms).await?;
        if tunnel_bytes_max.is_none()
            && let Some(ready) = window.ready(before, limit)
        {
            return Ok(whole(ready, headers));
        }
        let reserved = reserve(memory, tunnel_bytes_max).await?;
        let bytes_max = tunnel_bytes_max.unwrap_or(memory.answer_bytes_max());
        if let Some(page) = window.cut(before, limit, bytes_max) {
            return Ok(answer_with(page, reserved));
        }
    }
    let reserved = reserve(memory, tunnel_bytes_max).await?;
    let history = uplink.history.read(&room, view, span, limit).await?;
    let page = page(&history, span, tunnel_bytes_max.unwrap_or(memory.answer_bytes_max()));
    drop(history);
    Ok(answer_with(page, reserved))
}

/// Reserves memory for the largest answer; `None` in a tunnel, which has reserved it.
async fn reserve(
    memory: &AnswerMemory,
    tunnel_bytes_max: Option<usize>,
) -> Result<Option<Reserved>, ApiError> {
    match tunnel_bytes_max {
        Some(_) => Ok(None),
        None => memory.reserve().await.map(Some),
    }
}

fn answer_with(page: Vec<u8>, reserved: Option<Reserved>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    match reserved {
        Some(reserved) => (json, reserved.hold(page)).into_response(),
        None => (json, page).into_response(),
    }
}

/// Answers with a page that all readers share. A browser keeps it for its own next question: with the same
/// tag the answer has no body. No other cache may keep it, because a recall must be in force within a second.
fn whole(Ready { body, tag }: Ready, headers: &HeaderMap) -> Response {
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known =
        asked.is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag));
    let cached =
        [(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")), (header::ETAG, tag)];
    match is_known {
        true => (StatusCode::NOT_MODIFIED, cached).into_response(),
        false => (cached, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
    }
}

/// Reads the newest messages that the caller sees, oldest first.
pub(super) async fn newest(
    uplink: &Uplink,
    room: &RoomId,
    caller: Option<&Identity>,
    limit: usize,
) -> Result<History, ApiError> {
    let view = view(uplink, room, caller);
    Ok(uplink.history.read(room, view, Span::Before(None), limit).await?)
}

fn view(uplink: &Uplink, room: &RoomId, caller: Option<&Identity>) -> View {
    View::of(&uplink.bus.settings().borrow(), room, caller)
}
