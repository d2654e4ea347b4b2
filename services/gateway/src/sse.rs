//! Server-sent events: the same frames as a WebSocket's, one per event, with the
//! chain's position as the event id, so that a browser resumes by itself.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, bearer};
use barrage_protocol::frame::{Hello, RepairOutcome, ServerFrame};
use barrage_protocol::{Class, RoomId, Sequence};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, header};
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::time::{Duration, Instant};

use crate::batch::{SharedBatch, repair_json, skip_json};
use crate::farewell::{Due, Farewell};
use crate::gateway::{Admission, Shared};
use crate::room::Seat;
use crate::routes::{Routes, room};
use crate::{join, poll};

#[derive(Debug, Deserialize)]
pub(crate) struct SseQuery {
    after: Option<u64>,
    ticket: Option<String>,
}

pub(crate) async fn handle(
    State(routes): State<Arc<Routes>>,
    Path(room_text): Path<String>,
    Query(query): Query<SseQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let shared = Arc::clone(&routes.shared);
    let room = room(&room_text)?;
    let identity = shared.check(&room, bearer(&headers))?;
    let pass = shared.pass(&room, query.ticket.as_deref())?;
    let (admission, wait) = shared.admit_join(&pass)?;
    tokio::time::sleep(wait).await;
    let seat = shared.seat(&room).await?;
    let last_event =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let after = last_event.or(query.after).map(Sequence);
    let batches = seat.room.fallback.subscribe();
    let position = seat.room.position();
    let hello = ServerFrame::Hello(Hello {
        room: room.clone(),
        user: identity.map(|identity| identity.user),
        connection: shared.connection_id(),
        ping_interval_ms: shared.config.ping_interval_ms,
        sequence: position,
        resume: after.is_some(),
        online: seat.room.online(),
    });
    let hello = serde_json::to_vec(&hello).expect("frames are plain data");
    let first = event("hello", after.unwrap_or(position), &hello);
    shared.metrics.joins.inc();
    seat.room.entered();
    let farewell = Farewell::new(shared.departures.changes(), after.map(|_| Instant::now()));
    let beat = Instant::now();
    let follower =
        Follower { shared, room, seat, after, batches, position, beat, farewell, _admission: admission };
    let body = stream::unfold((Some(first), follower), |(first, mut follower)| async move {
        let bytes = match first {
            Some(first) => Bytes::from(first),
            None => follower.next().await?,
        };
        Some((Ok::<_, std::convert::Infallible>(bytes), (None, follower)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that buffer would hold every event back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// One viewer behind an event stream. hyper asks for the next event only when the
/// socket took the last one, so a slow viewer lags here, loses its place in the
/// bounded queue, and gets the range instead.
struct Follower {
    shared: Arc<Shared>,
    room: RoomId,
    seat: Seat,
    /// Where it resumes, until that is answered. Behind the hello: the bus may keep it waiting.
    after: Option<Sequence>,
    batches: broadcast::Receiver<Arc<SharedBatch>>,
    position: Sequence,
    beat: Instant,
    farewell: Farewell,
    _admission: Admission,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        let heartbeat = Duration::from_millis(self.shared.config.ping_interval_ms);
        if let Some(after) = self.after.take() {
            return Some(self.resume(after).await);
        }
        loop {
            let received = tokio::select! {
                received = self.batches.recv() => received,
                () = tokio::time::sleep_until(self.beat + heartbeat) => {
                    self.beat = Instant::now();
                    return Some(Bytes::from_static(b": keep\n\n"));
                }
                due = self.farewell.due(&self.room) => match due {
                    Due::Tell(leaving, frame) => {
                        self.shared.metrics.moved(leaving.cause);
                        let frame = ServerFrame::Reconnect(*frame);
                        let json = serde_json::to_vec(&frame).expect("frames are plain data");
                        return Some(event("reconnect", self.position, &json).into());
                    }
                    Due::Close => return None,
                },
                () = self.shared.ended.cancelled() => return None,
            };
            match received {
                Ok(batch) if batch.sequence > self.position || batch.messages.is_empty() => {
                    self.position = batch.sequence.max(self.position);
                    for class in [Class::Signal, Class::Gift, Class::Chat] {
                        self.shared.metrics.delivered(class, batch.counts[class as usize]);
                    }
                    return Some(event("batch", self.position, batch.json()).into());
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
                Err(broadcast::error::RecvError::Lagged(_)) => return Some(self.catch_up().await),
            }
        }
    }

    async fn resume(&mut self, after: Sequence) -> Bytes {
        self.position = join::within_reach(&self.shared, &self.room, after, self.position).await;
        let from = after.min(self.position);
        let before = Some(Sequence(self.position.0 + 1));
        match poll::read(&self.shared, &self.room, from, before).await {
            Ok(range) => {
                let is_foreign = after > self.position;
                let outcome = if is_foreign { RepairOutcome::Gone } else { range.outcome };
                self.shared.metrics.repaired(outcome);
                let repair = Some((outcome, range.skipped));
                let json = repair_json(&self.room, (from, range.covered_to), &range.messages, repair);
                event("batch", range.covered_to, &json).into()
            }
            // It knows from the hello what it lacks, and asks the history for it.
            Err(_) => event("batch", from, &skip_json(&self.room, from, from, 0)).into(),
        }
    }

    async fn catch_up(&mut self) -> Bytes {
        let target = self.seat.room.position();
        let from = self.position;
        let read = poll::read(&self.shared, &self.room, from, Some(Sequence(target.0 + 1))).await;
        let json = match read {
            Ok(range) => {
                self.shared.metrics.left_out(Class::Chat, "fallback", "slow", range.skipped);
                self.position = range.covered_to;
                repair_json(
                    &self.room,
                    (from, range.covered_to),
                    &range.messages,
                    Some((range.outcome, range.skipped)),
                )
            }
            // The next batch shows the gap, and the client asks the history.
            Err(_) => skip_json(&self.room, from, from, 0),
        };
        event("batch", self.position, &json).into()
    }
}

/// JSON has no raw newlines, so one `data:` line holds a frame.
fn event(kind: &str, id: Sequence, json: &[u8]) -> Vec<u8> {
    let mut out = format!("id: {id}\nevent: {kind}\ndata: ").into_bytes();
    out.extend_from_slice(json);
    out.extend_from_slice(b"\n\n");
    out
}
