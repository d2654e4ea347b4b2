//! Long polling, and short polling with no wait: the last resort of networks that
//! let nothing else through. Stateless: the position is in the request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_bus::Range;
use barrage_http::{ApiError, bearer};
use barrage_protocol::frame::{Notice, PollNotices, RepairOutcome};
use barrage_protocol::{Code, Message, RoomId, Sequence, UserId};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde::Deserialize;

use crate::batch::repair_json;
use crate::eviction::token_expired;
use crate::gateway::{Shared, unix_ms};
use crate::join;
use crate::listeners::News;
use crate::routes::{Routes, room};

/// Acknowledgements in one request.
const ACKS_MAX: usize = 64;

#[derive(Debug, Deserialize)]
pub(crate) struct PollQuery {
    after: Option<u64>,
    wait_secs: Option<u64>,
    /// Short for `wait_secs`.
    wait: Option<u64>,
    /// Sequences of notices that have arrived, with commas; may be empty. Its presence says
    /// that the client acknowledges, so that waiting notices are answered at once.
    ack: Option<String>,
}

pub(crate) async fn handle(
    State(routes): State<Arc<Routes>>,
    Path(room_text): Path<String>,
    Query(query): Query<PollQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let shared = &routes.shared;
    let room = room(&room_text)?;
    let identity = shared.check(&room, bearer(&headers))?;
    let user = identity.as_ref().map(|identity| &identity.user);
    if let (Some(user), Some(ack)) = (user, &query.ack) {
        shared.direct.acknowledge(user, &sequences(ack)?);
    }
    let _admission = shared.admit()?;
    let seat = shared.seat(&room).await?;
    let Some(after) = query.after.map(Sequence) else {
        let position = seat.room.position();
        return Ok(answer(shared, user, repair_json(&room, (position, position), &[], None)));
    };
    let wait_secs = query.wait_secs.or(query.wait).unwrap_or(0).min(shared.config.poll_wait_secs_max);
    let mut changed = seat.room.changed.subscribe();
    let listening = shared.listeners.listen(&room, user);
    // Evictions are heard from here on; this one may have come before.
    shared.check_room(&room, user)?;
    let token_ends = token_ends(identity.as_ref().map(|identity| shared.ends_at_secs(identity)));
    let deadline = tokio::time::sleep(Duration::from_secs(wait_secs));
    tokio::pin!(deadline, token_ends);
    let mut has_notices = query.ack.is_some() && user.is_some_and(|user| shared.direct.has_some(user));
    loop {
        let range = read(shared, &room, after, None).await?;
        let nothing = range.covered_to == after && range.outcome == RepairOutcome::Complete;
        if !nothing || wait_secs == 0 || has_notices {
            shared.metrics.repaired(range.outcome);
            let previous = after.min(range.covered_to);
            let repair = Some((range.outcome, range.skipped));
            let json = repair_json(&room, (previous, range.covered_to), &range.messages, repair);
            return Ok(answer(shared, user, json));
        }
        tokio::select! {
            news = listening.next() => match news {
                News::Evicted(refusal) => return Err(refusal.into()),
                News::Notice(_) => has_notices = true,
            },
            () = &mut token_ends => return Err(token_expired().into()),
            woken = changed.changed() => if woken.is_err() { break },
            () = &mut deadline => break,
            () = shared.shutdown.cancelled() => break,
            () = shared.ended.cancelled() => break,
        }
    }
    let nothing = Some((RepairOutcome::Complete, 0));
    Ok(answer(shared, user, repair_json(&room, (after, after), &[], nothing)))
}

fn sequences(ack: &str) -> Result<Vec<Sequence>, ApiError> {
    let texts = ack.split(',').filter(|text| !text.is_empty()).take(ACKS_MAX);
    let numbers = texts.map(|text| text.trim().parse().map(Sequence));
    numbers.collect::<Result<_, _>>().map_err(|_| {
        ApiError::new(Code::BadRequest, "ack: sequences of notices with commas, as `ack=91,93`, or nothing")
    })
}

/// Waits until a token's time and the leeway are over; for ever without a token.
pub(crate) async fn token_ends(ends_at_secs: Option<u64>) {
    let Some(ends_at_secs) = ends_at_secs else { return std::future::pending().await };
    loop {
        let left_ms = ends_at_secs.saturating_add(1).saturating_mul(1_000).saturating_sub(unix_ms());
        if left_ms == 0 {
            return;
        }
        // An hour at most: the wall clock may be set.
        tokio::time::sleep(Duration::from_millis(left_ms.min(3_600_000))).await;
    }
}

/// Reads what the room has after a position.
pub(crate) async fn read(
    shared: &Shared,
    room: &RoomId,
    after: Sequence,
    before: Option<Sequence>,
) -> Result<Range, ApiError> {
    let range = join::range(shared, room, after, before).await;
    range.map_err(|error| ApiError::new(Code::Unavailable, error.to_string()).retry_after_ms(1_000))
}

/// The notice that a message for one user is.
pub(crate) fn notice(message: &Message) -> Option<Notice> {
    let body = String::from_utf8(message.body.to_vec()).ok()?;
    let body = serde_json::value::RawValue::from_string(body).ok()?;
    Some(Notice { sequence: message.sequence, body })
}

/// The batch, and beside its fields the user's unacknowledged notices.
fn answer(shared: &Shared, user: Option<&UserId>, batch: Bytes) -> Response {
    let waiting = user.map(|user| shared.direct.pending(user)).unwrap_or_default();
    let notices: Vec<_> = waiting.iter().filter_map(|message| notice(message)).collect();
    let json = if notices.is_empty() { batch } else { with_notices(&batch, notices) };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, json).into_response()
}

/// Joins two JSON objects.
fn with_notices(batch: &[u8], notices: Vec<Notice>) -> Bytes {
    let notices = serde_json::to_vec(&PollNotices { notices }).expect("notices are plain data");
    let mut json = batch.strip_suffix(b"}").unwrap_or(batch).to_vec();
    json.push(b',');
    json.extend_from_slice(notices.strip_prefix(b"{").unwrap_or(&notices));
    json.into()
}
