//! Long polling, and short polling with no wait: the last resort of networks that
//! let nothing else through. Stateless: the position is in the request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_bus::Range;
use barrage_http::{ApiError, bearer};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Code, RoomId, Sequence};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde::Deserialize;

use crate::batch::repair_json;
use crate::gateway::Shared;
use crate::join;
use crate::routes::{Routes, room};

#[derive(Debug, Deserialize)]
pub(crate) struct PollQuery {
    after: Option<u64>,
    wait_secs: Option<u64>,
    /// Short for `wait_secs`.
    wait: Option<u64>,
}

pub(crate) async fn handle(
    State(routes): State<Arc<Routes>>,
    Path(room_text): Path<String>,
    Query(query): Query<PollQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let shared = &routes.shared;
    let room = room(&room_text)?;
    shared.check(&room, bearer(&headers))?;
    let _admission = shared.admit()?;
    let seat = shared.seat(&room).await?;
    let Some(after) = query.after.map(Sequence) else {
        let position = seat.room.position();
        return Ok(answer(repair_json(&room, (position, position), &[], None)));
    };
    let wait_secs = query.wait_secs.or(query.wait).unwrap_or(0).min(shared.config.poll_wait_secs_max);
    let mut changed = seat.room.changed.subscribe();
    let deadline = tokio::time::sleep(Duration::from_secs(wait_secs));
    tokio::pin!(deadline);
    loop {
        let range = read(shared, &room, after, None).await?;
        let nothing = range.covered_to == after && range.outcome == RepairOutcome::Complete;
        if !nothing || wait_secs == 0 {
            shared.metrics.repaired(range.outcome);
            let previous = after.min(range.covered_to);
            let repair = Some((range.outcome, range.skipped));
            return Ok(answer(repair_json(&room, (previous, range.covered_to), &range.messages, repair)));
        }
        tokio::select! {
            woken = changed.changed() => if woken.is_err() { break },
            () = &mut deadline => break,
            () = shared.shutdown.cancelled() => break,
        }
    }
    Ok(answer(repair_json(&room, (after, after), &[], Some((RepairOutcome::Complete, 0)))))
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

fn answer(json: Bytes) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, json).into_response()
}
