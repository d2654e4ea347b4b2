//! What was said before, out of the store.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_http::ApiError;
use barrage_protocol::post::History;
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_store::{HISTORY_LIMIT_MAX, HistoryRange};
use http::{HeaderMap, header};
use serde::Deserialize;

use crate::access;
use crate::routes::Uplink;
use crate::send::unix_ms;

const LIMIT_DEFAULT: usize = 100;
/// When to come back while history is switched off.
const SWITCHED_OFF_RETRY_MS: u64 = 30_000;
/// Bytes of a page beside its messages.
const FRAME_BYTES: usize = 128;

/// Memory that is reserved already for the answer of a request inside of a tunnel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    /// Largest answer.
    pub(crate) bytes_max: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    after: Option<u64>,
    before: Option<u64>,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
    limit: Option<usize>,
}

/// What of the history is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    After(Sequence),
    /// `None`: before the end.
    Before(Option<Sequence>),
    Offsets {
        from_ms: u64,
        to_ms: u64,
    },
}

impl Asked {
    fn span(&self) -> Result<Span, ApiError> {
        match *self {
            Asked { from_ms: Some(from_ms), to_ms: Some(to_ms), after: None, before: None, .. }
                if from_ms < to_ms =>
            {
                Ok(Span::Offsets { from_ms, to_ms })
            }
            Asked { from_ms: None, to_ms: None, after, before, .. } => match (after, before) {
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

pub(crate) async fn handle(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    query: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    within: Option<Extension<Within>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(asked) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = access::room_id(&room)?;
    admit(&uplink, &room, &headers)?;
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {HISTORY_LIMIT_MAX}")));
    }
    let span = asked.span()?;
    let json = [(header::CONTENT_TYPE, "application/json")];
    if let Some(Extension(Within { bytes_max })) = within {
        let history = read(&uplink, &room, span, limit).await?;
        return Ok((json, page(&history, span, bytes_max)).into_response());
    }
    let reserved = uplink.answers.reserve().await?;
    let history = read(&uplink, &room, span, limit).await?;
    let page = page(&history, span, uplink.answers.bytes_max());
    drop(history);
    Ok((json, reserved.hold(page)).into_response())
}

/// Whether the caller may read the room's history. One with a token who was kicked may not; an
/// anonymous one is not known, and may where there are anonymous viewers at all.
fn admit(uplink: &Uplink, room: &RoomId, headers: &HeaderMap) -> Result<(), ApiError> {
    let caller = match barrage_http::bearer(headers).is_some() || !uplink.anonymous {
        true => Some(access::caller(&uplink.keyring, headers, room)?),
        false => None,
    };
    let settings = uplink.bus.settings().borrow().clone();
    if !settings.rooms.contains_key(room) {
        return Err(ApiError::new(Code::UnknownRoom, "there is no such room"));
    }
    if let Some(by) = caller {
        access::not_kicked(&settings, room, &by, unix_ms())?;
    }
    if settings.switches.history_off {
        let error = ApiError::new(Code::Unavailable, "history is switched off just now");
        return Err(error.retry_after_ms(SWITCHED_OFF_RETRY_MS));
    }
    Ok(())
}

async fn read(uplink: &Uplink, room: &RoomId, span: Span, limit: usize) -> Result<History, ApiError> {
    let store = &uplink.store;
    let read = match span {
        Span::Offsets { from_ms, to_ms } => store.history_by_offset(room, from_ms, to_ms, limit).await,
        Span::After(after) => store.history(room, HistoryRange::After(after), limit).await,
        Span::Before(Some(before)) => store.history(room, HistoryRange::Before(before), limit).await,
        Span::Before(None) => store.history(room, HistoryRange::Latest, limit).await,
    };
    read.map_err(|error| {
        tracing::warn!(%error, "history could not be read");
        ApiError::new(Code::Unavailable, "history cannot be read now").retry_after_ms(1_000)
    })
}

/// A page as JSON, of at most `bytes_max` bytes, or of one message if that alone is longer: it
/// is cut short at the end that is farther from where it was asked to begin. `more` and `next`
/// say where it goes on.
fn page(history: &History, span: Span, bytes_max: usize) -> Vec<u8> {
    let room = bytes_max.saturating_sub(FRAME_BYTES);
    let encode = |message| serde_json::to_vec(message).expect("messages are plain data");
    let is_backward = matches!(span, Span::Before(_));
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    for at in 0..history.messages.len() {
        let index = if is_backward { history.messages.len() - 1 - at } else { at };
        let message = encode(&history.messages[index]);
        if bytes + message.len() + 1 > room && !kept.is_empty() {
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
        Span::After(_) => history.messages.get(last).map(|it| ("after", it.sequence.0)),
        Span::Before(_) => history.messages.get(first).map(|it| ("before", it.sequence.0)),
        Span::Offsets { .. } => history.messages.get(last).map(|it| ("from_ms", it.offset_ms)),
    };
    if let Some((name, position)) = next.filter(|_| more) {
        out.extend_from_slice(format!(r#","next":{{"{name}":{position}}}"#).as_bytes());
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Class;
    use barrage_protocol::post::{HistoryMessage, HistoryPage};
    use serde_json::Value;

    use super::*;

    fn history(messages: u64, text_bytes: usize, more: bool) -> History {
        let message = |n| HistoryMessage {
            sequence: Sequence(n),
            class: Class::Chat,
            at_ms: n,
            offset_ms: 10 * n,
            body: serde_json::value::to_raw_value(&"x".repeat(text_bytes)).unwrap(),
        };
        History { messages: (1..=messages).map(message).collect(), more }
    }

    fn told(history: &History, span: Span, bytes_max: usize) -> (Vec<u64>, Value) {
        let bytes = page(history, span, bytes_max);
        assert!(bytes.len() <= bytes_max.max(1_200), "{} bytes", bytes.len());
        let mut page: Value = serde_json::from_slice(&bytes).unwrap();
        let parsed: HistoryPage = serde_json::from_slice(&bytes).unwrap();
        page["messages"] = Value::Null;
        (parsed.messages.iter().map(|message| message.sequence.0).collect(), page)
    }

    #[test]
    fn a_long_page_is_cut_short_and_says_where_it_goes_on() {
        let history = history(100, 1_000, false);
        let (kept, page) = told(&history, Span::After(Sequence(0)), 4_096);
        assert_eq!((kept, &page["more"], &page["next"]["after"]), (vec![1, 2, 3], &true.into(), &3.into()));
        let (kept, page) = told(&history, Span::Before(None), 4_096);
        assert_eq!((kept, &page["next"]["before"]), (vec![98, 99, 100], &98.into()));
        let (kept, page) = told(&history, Span::Offsets { from_ms: 0, to_ms: 9_999 }, 4_096);
        assert_eq!((kept, &page["next"]["from_ms"]), (vec![1, 2, 3], &30.into()));
    }

    #[test]
    fn every_page_has_a_message_and_a_whole_one_has_no_next() {
        let (kept, page) = told(&history(2, 1_000, false), Span::After(Sequence(0)), 10);
        assert_eq!((kept, &page["next"]["after"]), (vec![1], &1.into()));
        let (kept, page) = told(&history(3, 10, false), Span::Before(None), 4_096);
        assert_eq!((kept.len(), &page["more"], &page["next"]), (3, &false.into(), &Value::Null));
        let (kept, page) = told(&history(3, 10, true), Span::Before(Some(Sequence(9))), 4_096);
        assert_eq!((kept.len(), &page["more"], &page["next"]["before"]), (3, &true.into(), &1.into()));
        let (kept, page) = told(&history(0, 0, false), Span::Before(None), 4_096);
        assert_eq!((kept.len(), &page["more"], &page["next"]), (0, &false.into(), &Value::Null));
    }
}
