//! Server-sent events: the same frames as a WebSocket's, one per event, with the
//! chain's position as the event id, so that a browser resumes by itself.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, bearer};
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{Hello, RepairOutcome, ServerFrame};
use barrage_protocol::{Class, Message, RoomId, Sequence, UserId};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, header};
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::time::{Duration, Instant};

use crate::batch::{SharedBatch, repair_json, skip_json};
use crate::connections::Connection;
use crate::eviction::token_expired;
use crate::farewell::{Due, Farewell};
use crate::gateway::{Admission, Shared};
use crate::listeners::{Listening, News};
use crate::room::Seat;
use crate::routes::{Routes, room};
use crate::{join, poll};

/// Notices waiting for one stream.
const NOTICES_MAX: usize = 64;

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
    let ends_at_secs = identity.as_ref().map(|identity| shared.ends_at_secs(identity));
    let user = identity.map(|identity| identity.user);
    let listening = shared.listeners.listen(&room, user.as_ref());
    // Evictions are heard from here on; this one may have come since the handshake.
    shared.check_room(&room, user.as_ref())?;
    let counted = user.clone().map(|user| Counted::enter(&shared, user, listening.id));
    let waiting = user.as_ref().map(|user| shared.direct.waiting(user)).unwrap_or_default();
    let hello = ServerFrame::Hello(Hello {
        room: room.clone(),
        user,
        connection: shared.connection_id(),
        ping_interval_ms: shared.config.ping_interval_ms,
        sequence: position,
        resume: after.is_some(),
        online: seat.room.online(),
    });
    shared.metrics.joins.inc();
    seat.room.entered();
    let farewell = Farewell::new(shared.departures.changes(), after.map(|_| Instant::now()));
    let follower = Follower {
        first: Some(event("hello", after.unwrap_or(position), &json(&hello))),
        resume: after,
        owed: None,
        position,
        notices: waiting.into(),
        batches,
        beat: Instant::now(),
        token_ends: Box::pin(poll::token_ends(ends_at_secs)),
        farewell,
        listening,
        shared,
        room,
        seat,
        is_over: false,
        _places: (admission, counted),
    };
    let body = stream::unfold(follower, |mut follower| async move {
        let bytes = follower.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(bytes)), follower))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that buffer would hold every event back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// An event stream among its user's connections.
struct Counted {
    shared: Arc<Shared>,
    user: UserId,
    connection: Connection,
}

impl Counted {
    fn enter(shared: &Arc<Shared>, user: UserId, listener: u64) -> Self {
        let connection = Connection::Listener(listener);
        shared.enter_of_user(&user, connection);
        Counted { shared: Arc::clone(shared), user, connection }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shared.connections.leave(&self.user, self.connection);
    }
}

/// What is read off the bus for a stream that resumes or lags.
struct Owed {
    /// The stream then goes on live, behind this position.
    up_to: Sequence,
    is_resume: bool,
}

/// One viewer behind an event stream. hyper asks for the next event only when the
/// socket took the last one, so a slow viewer lags here, loses its place in the
/// bounded queue, and gets the range instead, in answers of bounded size.
struct Follower {
    first: Option<Vec<u8>>,
    /// Where it resumes, until that is begun. Behind the hello: the bus may keep it waiting.
    resume: Option<Sequence>,
    owed: Option<Owed>,
    /// The chain's position after the last event.
    position: Sequence,
    /// Notices to be sent, after the resume.
    notices: VecDeque<Arc<Message>>,
    batches: broadcast::Receiver<Arc<SharedBatch>>,
    beat: Instant,
    token_ends: Pin<Box<dyn Future<Output = ()> + Send>>,
    farewell: Farewell,
    listening: Listening,
    shared: Arc<Shared>,
    room: RoomId,
    seat: Seat,
    is_over: bool,
    _places: (Admission, Option<Counted>),
}

impl Follower {
    async fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_over {
            return None;
        }
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.resume.is_some() || self.owed.is_some() {
            return Some(self.catch_up_unless_evicted().await);
        }
        let heartbeat = Duration::from_millis(self.shared.config.ping_interval_ms);
        loop {
            if let Some(notice) = self.notices.pop_front().and_then(|message| poll::notice(&message)) {
                return Some(event("notice", self.position, &json(&ServerFrame::Notice(notice))));
            }
            let received = tokio::select! {
                // A stream that has much to send ends at once all the same.
                biased;
                news = self.listening.next() => match news {
                    News::Evicted(refusal) => return Some(self.end(refusal)),
                    News::Notice(message) => {
                        keep(&mut self.notices, message);
                        continue;
                    }
                },
                () = &mut self.token_ends => return Some(self.end(token_expired())),
                () = self.shared.ended.cancelled() => return None,
                due = self.farewell.due(&self.room) => match due {
                    Due::Tell(leaving, frame) => {
                        self.shared.metrics.moved(leaving.cause);
                        let frame = ServerFrame::Reconnect(*frame);
                        return Some(event("reconnect", self.position, &json(&frame)));
                    }
                    Due::Close => return None,
                },
                received = self.batches.recv() => received,
                () = tokio::time::sleep_until(self.beat + heartbeat) => {
                    self.beat = Instant::now();
                    return Some(b": keep\n\n".to_vec());
                }
            };
            match received {
                Ok(batch) if batch.sequence > self.position || batch.messages.is_empty() => {
                    self.position = batch.sequence.max(self.position);
                    for class in [Class::Signal, Class::Gift, Class::Chat] {
                        self.shared.metrics.delivered(class, batch.counts[class as usize]);
                    }
                    return Some(event("batch", self.position, batch.json()));
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.owed = Some(Owed { up_to: self.seat.room.position(), is_resume: false });
                    return Some(self.catch_up_unless_evicted().await);
                }
            }
        }
    }

    /// The last event: why the stream ends.
    fn end(&mut self, refusal: Refusal) -> Vec<u8> {
        self.is_over = true;
        self.shared.metrics.closed(refusal.code);
        event("error", self.position, &json(&ServerFrame::Error(refusal)))
    }

    async fn catch_up_unless_evicted(&mut self) -> Vec<u8> {
        // What is read is bounded by the bus's own deadlines.
        let evicted = tokio::select! {
            biased;
            () = &mut self.token_ends => Some(token_expired()),
            refusal = evicted(&self.listening, &mut self.notices) => Some(refusal),
            () = std::future::ready(()) => None,
        };
        match evicted {
            Some(refusal) => self.end(refusal),
            None => self.catch_up().await,
        }
    }

    /// The next part of what the viewer is owed.
    async fn catch_up(&mut self) -> Vec<u8> {
        if let Some(after) = self.resume.take() {
            let reached = join::within_reach(&self.shared, &self.room, after, self.position).await;
            if after > reached {
                // A position that this room never had: start at ours.
                self.shared.metrics.repaired(RepairOutcome::Gone);
                self.position = reached;
                let gone = Some((RepairOutcome::Gone, 0));
                return event("batch", reached, &repair_json(&self.room, (reached, reached), &[], gone));
            }
            self.position = after;
            self.owed = Some(Owed { up_to: reached, is_resume: true });
        }
        let Some(Owed { up_to, is_resume }) = self.owed.take() else { return Vec::new() };
        let from = self.position;
        let Ok(range) = poll::read(&self.shared, &self.room, from, Some(Sequence(up_to.0 + 1))).await else {
            // The next batch shows the gap, and the client asks the history for it.
            return event("batch", from, &skip_json(&self.room, from, from, 0));
        };
        if is_resume {
            self.shared.metrics.repaired(range.outcome);
        } else {
            self.shared.metrics.left_out(Class::Chat, "fallback", "slow", range.skipped);
        }
        self.position = range.covered_to.max(from);
        if self.position < up_to && self.position > from {
            self.owed = Some(Owed { up_to, is_resume });
        }
        let repair = Some((range.outcome, range.skipped));
        let json = repair_json(&self.room, (from, range.covered_to), &range.messages, repair);
        event("batch", self.position, &json)
    }
}

/// Waits for an eviction; notices that come before are kept.
async fn evicted(listening: &Listening, notices: &mut VecDeque<Arc<Message>>) -> Refusal {
    loop {
        match listening.next().await {
            News::Evicted(refusal) => return refusal,
            News::Notice(message) => keep(notices, message),
        }
    }
}

/// Keeps a notice; beyond the bound the oldest comes with the next connect.
fn keep(notices: &mut VecDeque<Arc<Message>>, message: Arc<Message>) {
    if notices.len() >= NOTICES_MAX {
        notices.pop_front();
    }
    notices.push_back(message);
}

fn json(frame: &ServerFrame) -> Vec<u8> {
    serde_json::to_vec(frame).expect("frames are plain data")
}

/// JSON has no raw newlines, so one `data:` line holds a frame.
fn event(kind: &str, id: Sequence, json: &[u8]) -> Vec<u8> {
    let head = format!("id: {id}\nevent: {kind}\ndata: ");
    // Exactly: a slow stream holds this for long.
    let mut out = Vec::with_capacity(head.len() + json.len() + 2);
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(json);
    out.extend_from_slice(b"\n\n");
    out
}
