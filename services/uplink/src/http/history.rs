//! The handler of `GET .../history`: pages of stored messages.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::post::History;
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_store::{HISTORY_LIMIT_MAX, HistoryRange, Store};
use barrage_token::{Identity, Role};
use http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer_memory::AnswerMemory;
use super::export::{self, ExportFormat, Part, Reader};
use super::history_access::authorize;
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Messages of a page when the query has no `limit`.
const LIMIT_DEFAULT: usize = 100;
/// Milliseconds beyond a room's moderation delay after which viewers get a message from the history, so that
/// the archiver has hidden in the store what was hidden within the delay.
const ARCHIVE_SLACK_MS: u64 = 3_000;
/// Reads for one page of viewers that look for what they see already, behind the newest messages of a room
/// with a delay: each of up to 1,000 messages, together some 1,200 a second for the longest delay.
const READS_MAX: usize = 16;
/// Bytes of a page besides its messages.
const FRAME_BYTES: usize = 128;

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

/// The part of the history that a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    After(Sequence),
    /// Before a sequence, or the newest messages for `None`.
    Before(Option<Sequence>),
    Offsets {
        from_ms: u64,
        to_ms: u64,
    },
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
        let shown_to_ms = shown_to_ms(uplink, &room, caller.as_ref()).min(barrage_clock::unix_ms());
        let part = Part::of(from_ms, to_ms, shown_to_ms)?;
        return export::answer(uplink, &room, format, part, Reader::Viewer(client, caller)).await;
    }
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {HISTORY_LIMIT_MAX}")));
    }
    let span = query.span()?;
    let json = [(header::CONTENT_TYPE, "application/json")];
    if let Some(Extension(TunnelMemory { bytes_max })) = tunnel {
        let history = read(uplink, &room, caller.as_ref(), span, limit).await?;
        return Ok((json, page(&history, span, bytes_max)).into_response());
    }
    let reserved = memory.reserve().await?;
    let history = read(uplink, &room, caller.as_ref(), span, limit).await?;
    let page = page(&history, span, memory.answer_bytes_max());
    drop(history);
    Ok((json, reserved.hold(page)).into_response())
}

/// Reads a part of the history, without what the caller does not see yet in a room with a delay.
async fn read(
    uplink: &Uplink,
    room: &RoomId,
    caller: Option<&Identity>,
    span: Span,
    limit: usize,
) -> Result<History, ApiError> {
    read_shown(&*uplink.store, room, span, limit, shown_to_ms(uplink, room, caller)).await
}

/// Reads the newest messages that the caller sees, oldest first.
pub(super) async fn newest(
    uplink: &Uplink,
    room: &RoomId,
    caller: Option<&Identity>,
    limit: usize,
) -> Result<History, ApiError> {
    read(uplink, room, caller, Span::Before(None), limit).await
}

/// Reads a part of the history up to a time. A page that goes back is never empty because all of its messages
/// are newer: they may be many, so that the search goes on behind them.
async fn read_shown(
    store: &dyn Store,
    room: &RoomId,
    span: Span,
    limit: usize,
    shown_to_ms: u64,
) -> Result<History, ApiError> {
    let (mut at, mut read_max) = (span, limit);
    for _ in 0..READS_MAX {
        let mut history = read_stored(store, room, at, read_max).await?;
        let oldest = history.messages.first().map(|message| message.sequence);
        show_to(&mut history, span, shown_to_ms);
        match oldest {
            Some(oldest)
                if history.more && history.messages.is_empty() && matches!(span, Span::Before(_)) =>
            {
                (at, read_max) = (Span::Before(Some(oldest)), HISTORY_LIMIT_MAX);
            }
            _ => {
                let over = history.messages.len().saturating_sub(limit);
                history.messages.drain(..over);
                history.more |= over > 0;
                return Ok(history);
            }
        }
    }
    Ok(History { messages: Vec::new(), more: false })
}

/// Returns the time up to which the caller sees messages in a room with a delay; the end of time for
/// moderators, and in other rooms.
fn shown_to_ms(uplink: &Uplink, room: &RoomId, caller: Option<&Identity>) -> u64 {
    let settings = uplink.bus.settings().borrow().clone();
    let delay_ms = settings.rooms.get(room).map_or(0, |room| u64::from(room.moderation_delay_secs) * 1_000);
    if delay_ms > 0 && caller.is_none_or(|by| by.role < Role::Moderator) {
        return barrage_clock::unix_ms().saturating_sub(delay_ms + ARCHIVE_SLACK_MS);
    }
    u64::MAX
}

/// Removes the messages that were accepted after a time. They are the newest: no page follows behind them.
fn show_to(history: &mut History, span: Span, shown_to_ms: u64) {
    let count = history.messages.len();
    history.messages.retain(|message| message.at_ms <= shown_to_ms);
    let is_forward = !matches!(span, Span::Before(_));
    if is_forward && history.messages.len() < count {
        history.more = false;
    }
}

async fn read_stored(
    store: &dyn Store,
    room: &RoomId,
    span: Span,
    limit: usize,
) -> Result<History, ApiError> {
    let read = match span {
        Span::Offsets { from_ms, to_ms } => store.history_by_offset(room, from_ms, to_ms, limit).await,
        Span::After(after) => store.history(room, HistoryRange::After(after), limit).await,
        Span::Before(Some(before)) => store.history(room, HistoryRange::Before(before), limit).await,
        Span::Before(None) => store.history(room, HistoryRange::Latest, limit).await,
    };
    read.map_err(|error| {
        tracing::warn!(%error, "the history cannot be read");
        ApiError::new(Code::Unavailable, "history cannot be read now").retry_after_ms(1_000)
    })
}

/// Writes a page as JSON of at most `bytes_max` bytes, or with one message when that message alone
/// is longer. Messages over the bound are cut at the end where the next page begins; `more` and
/// `next` name that place.
fn page(history: &History, span: Span, bytes_max: usize) -> Vec<u8> {
    let messages_bytes_max = bytes_max.saturating_sub(FRAME_BYTES);
    let encode = |message| serde_json::to_vec(message).expect("messages are plain data");
    let is_backward = matches!(span, Span::Before(_));
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    for at in 0..history.messages.len() {
        let index = if is_backward { history.messages.len() - 1 - at } else { at };
        let message = encode(&history.messages[index]);
        if bytes + message.len() + 1 > messages_bytes_max && !kept.is_empty() {
            break;
        }
        bytes += message.len() + 1;
        kept.push(message);
    }
    let count = kept.len();
    let more = history.more || count < history.messages.len();
    if is_backward {
        kept.reverse();
    }
    let mut out = Vec::with_capacity(bytes + FRAME_BYTES);
    out.extend_from_slice(br#"{"messages":["#);
    for (at, message) in kept.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(message);
    }
    out.extend_from_slice(format!(r#"],"more":{more}"#).as_bytes());
    let (first, last) = (history.messages.len() - count, count.saturating_sub(1));
    let next = match span {
        Span::After(_) => history.messages.get(last).map(|message| ("after", message.sequence.0)),
        Span::Before(_) => history.messages.get(first).map(|message| ("before", message.sequence.0)),
        Span::Offsets { .. } => history.messages.get(last).map(|message| ("from_ms", message.offset_ms)),
    };
    if let Some((name, position)) = next.filter(|_| more) {
        out.extend_from_slice(format!(r#","next":{{"{name}":{position}}}"#).as_bytes());
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests;
