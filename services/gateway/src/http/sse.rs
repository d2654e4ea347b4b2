//! Server-sent events: the frames of a WebSocket, one per event, with the position in the chain as
//! the event id, so that a browser resumes by itself.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use barrage_http::{ApiError, bearer};
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{Hello, RepairOutcome, ServerFrame};
use barrage_protocol::mail::{Attached, Bell};
use barrage_protocol::{Class, ClientFacts, Message, RoomId, Sequence, UserId};
use barrage_token::Role;
use futures_util::stream;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::time::{Duration, Instant};
use tracing::Instrument;

use super::admit;
use super::poll::token_ends;
use super::room_path::room;
use super::sse_drain::{SseDrain, Step};
use super::sse_event::{KEEP_ALIVE, answer, event, json};
use super::stream_user::StreamUser;
use crate::admission::{Admission, ends_at_secs, token_expired};
use crate::context::Context;
use crate::dispatch::{Listening, News};
use crate::room::{RepairReader, Seat, SeatKind, SharedBatch, repair_json, skip_json, with_state};
use crate::viewer::frame_of;

/// Notices that wait for one stream; beyond, the oldest comes with the next connect.
const NOTICES_MAX: usize = 64;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SseQuery {
    /// Position after which the viewer resumes; the header `Last-Event-ID` counts when absent.
    after: Option<u64>,
    /// Ticket of the join queue, from entry's answer.
    ticket: Option<String>,
    /// Facts of the client as JSON, as a `join` frame has them in `client`.
    client: Option<String>,
    /// Whether the stream is rung for the mail of the token's user; without a token or an inbox, it is not.
    #[serde(default)]
    inbox: bool,
}

pub(super) async fn handle(
    State(context): State<Arc<Context>>,
    Path(room_text): Path<String>,
    Query(query): Query<SseQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let room = room(&room_text)?;
    let identity = admit::identify(&context, &room, bearer(&headers))?;
    let (admission, wait) = admit::admit_join(&context, &room, identity.as_ref(), query.ticket.as_deref())?;
    tokio::time::sleep(wait).await;
    let facts = query.client.as_deref().map(ClientFacts::parse);
    let kind = SeatKind::of(facts.as_ref());
    let role = identity.as_ref().map_or(Role::Viewer, |identity| identity.role);
    let by = (identity.as_ref().map(|identity| &identity.user), role);
    let seat = context.seat(&room, by, kind).await.map_err(Refusal::from)?;
    let last_event =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let after = last_event.or(query.after).map(Sequence);
    let batches = seat.room.fallback.subscribe();
    let position = seat.room.position();
    let ends_at_secs = identity.as_ref().map(|identity| ends_at_secs(&context.gate.access, identity));
    let user = identity.as_ref().map(|identity| identity.user.clone());
    let listening = context.dispatch.listeners.listen(Some(&room), user.as_ref());
    // Evictions reach the stream from here on; one may have come since the handshake.
    admit::check(&context, &room, identity.as_ref())?;
    context.check_view(&seat, by)?;
    let counted = user.as_ref().map(|user| counted(&context, user, &listening, query.inbox)).unzip();
    let (stream_user, attached) = counted;
    let waiting = user.as_ref().map(|user| context.notices.take_waiting(user)).unwrap_or_default();
    let ids = &context.gate.connection_ids;
    let connection = ids.id(ids.draw());
    let span = tracing::debug_span!("conn", id = connection, transport = "sse", room = %room);
    let hello = ServerFrame::Hello(Hello {
        room: room.clone(),
        user,
        connection,
        ping_interval_ms: context.config.ping_interval_ms,
        ping_interval_ms_max: None,
        visibility: false,
        sequence: position,
        resume: after.is_some(),
        online: seat.room.online(),
        state: None,
    });
    // Behind the position: the state must not be older.
    let state = context.state_of(&seat.room);
    let hello = with_state(json(&hello).into(), state.as_deref());
    if !room.is_probe() {
        context.metrics.joins.inc();
        context.metrics.clients.joined(facts.as_ref(), context.config.client_versions_max);
    }
    if kind == SeatKind::Viewer {
        seat.room.count_entry();
    }
    let drain = SseDrain::new(context.drains.subscribe(), after.map(|_| Instant::now()));
    let hello = event("hello", Some(after.unwrap_or(position)), &hello);
    let follower = Follower {
        first: Some([hello, attached.unwrap_or_default()].concat()),
        resume: after,
        missing: None,
        position,
        notices: waiting.into(),
        bell: None,
        batches,
        kept_alive_at: Instant::now(),
        token_ends: Box::pin(token_ends(ends_at_secs)),
        drain,
        listening,
        context,
        room,
        seat,
        is_over: false,
        _places: (admission, stream_user),
    };
    Ok(follow(follower, span))
}

/// Counts a stream among its user's connections, and attaches it where its client wants that. Returns the event that
/// says so; nothing when the stream is not attached.
fn counted(
    context: &Arc<Context>,
    user: &UserId,
    listening: &Listening,
    wants_mail: bool,
) -> (StreamUser, Vec<u8>) {
    let mut stream = StreamUser::new(context, user.clone(), listening);
    if !(wants_mail && context.attached.is_open()) {
        return (stream, Vec::new());
    }
    stream.attach(listening);
    let attached = ServerFrame::Attached(Attached { user: user.clone(), connection: None });
    (stream, event("attached", None, &json(&attached)))
}

fn follow(follower: Follower, span: tracing::Span) -> Response {
    answer(stream::unfold((follower, span), |(mut follower, span)| async move {
        let bytes = follower.next().instrument(span.clone()).await?;
        Some((bytes, (follower, span)))
    }))
}

/// Range that a stream reads off the bus, because it resumes or lags.
struct MissingRange {
    /// Position behind which the stream goes on live.
    up_to: Sequence,
    cause: MissingCause,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MissingCause {
    Resume,
    Lag,
}

/// One event stream.
///
/// hyper asks for the next event once the socket took the last one. So a slow viewer lags here,
/// loses its place in the bounded queue of batches, and gets the missing range in answers of bounded
/// size instead.
struct Follower {
    first: Option<Vec<u8>>,
    /// Position at which the viewer resumes, until the resume begins. The resume comes behind the
    /// hello, because it may have to wait for the bus.
    resume: Option<Sequence>,
    missing: Option<MissingRange>,
    /// Position in the chain after the last event.
    position: Sequence,
    /// Notices that are sent behind the resume.
    notices: VecDeque<Arc<Message>>,
    /// Bell that is sent behind the resume, with the time over which its client spreads its request.
    bell: Option<Option<u64>>,
    batches: broadcast::Receiver<Arc<SharedBatch>>,
    kept_alive_at: Instant,
    token_ends: Pin<Box<dyn Future<Output = ()> + Send>>,
    drain: SseDrain,
    listening: Listening,
    context: Arc<Context>,
    room: RoomId,
    seat: Seat,
    is_over: bool,
    _places: (Admission, Option<StreamUser>),
}

impl Follower {
    /// Waits for the next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_over {
            return None;
        }
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.resume.is_some() || self.missing.is_some() {
            return Some(self.catch_up_unless_evicted().await);
        }
        let keep_alive = Duration::from_millis(self.context.config.ping_interval_ms);
        loop {
            if let Some(notice) = self.notices.pop_front().and_then(|message| frame_of(&message)) {
                return Some(event("notice", Some(self.position), &json(&ServerFrame::Notice(notice))));
            }
            if let Some(spread_ms) = self.bell.take() {
                return Some(self.bell(spread_ms));
            }
            let received = tokio::select! {
                // Evictions first, so that a stream that has much to send ends at once.
                biased;
                news = self.listening.next() => match news {
                    News::Evicted(refusal) => return Some(self.end(refusal)),
                    News::Notice(message) => {
                        keep(&mut self.notices, message);
                        continue;
                    }
                    News::Bell(spread_ms) => return Some(self.bell(spread_ms)),
                },
                () = &mut self.token_ends => return Some(self.end(token_expired())),
                () = self.context.lifecycle.ended.cancelled() => return None,
                step = self.drain.next(Some(&self.room)) => match step {
                    Step::Notify(drain, frame) => {
                        self.context.metrics.moved(drain.cause);
                        let frame = ServerFrame::Reconnect(*frame);
                        return Some(event("reconnect", Some(self.position), &json(&frame)));
                    }
                    Step::Close => return None,
                },
                received = self.batches.recv() => received,
                () = tokio::time::sleep_until(self.kept_alive_at + keep_alive) => {
                    self.kept_alive_at = Instant::now();
                    return Some(KEEP_ALIVE.to_vec());
                }
            };
            match received {
                Ok(batch) => {
                    if let Some(event) = self.batch_event(&batch) {
                        return Some(event);
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return None,
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let up_to = self.seat.room.position();
                    self.missing = Some(MissingRange { up_to, cause: MissingCause::Lag });
                    return Some(self.catch_up_unless_evicted().await);
                }
            }
        }
    }

    /// Event of a bell: the user's inbox has changed.
    fn bell(&self, spread_ms: Option<u64>) -> Vec<u8> {
        self.context.metrics.bells.inc();
        let bell = ServerFrame::Bell(Bell { version: None, spread_ms });
        event("bell", Some(self.position), &json(&bell))
    }

    /// Event of a batch; `None` when the viewer has its messages already.
    fn batch_event(&mut self, batch: &SharedBatch) -> Option<Vec<u8>> {
        // A signal ahead of its place, in a room with a delay, moves no position.
        let is_ahead = batch.previous == batch.sequence;
        if batch.sequence <= self.position && !batch.messages.is_empty() && !is_ahead {
            return None;
        }
        self.position = batch.sequence.max(self.position);
        for (class, messages) in batch.counts.iter() {
            self.context.metrics.delivered(class, *messages);
        }
        Some(event("batch", Some(self.position), batch.json()))
    }

    /// Ends the stream; returns its last event, the reason.
    fn end(&mut self, refusal: Refusal) -> Vec<u8> {
        self.is_over = true;
        self.context.metrics.closed(refusal.code);
        tracing::debug!(code = refusal.code.label(), "event stream closed by the gateway");
        event("error", Some(self.position), &json(&ServerFrame::Error(refusal)))
    }

    async fn catch_up_unless_evicted(&mut self) -> Vec<u8> {
        // The read itself is bounded by its own deadline.
        let evicted = tokio::select! {
            biased;
            () = &mut self.token_ends => Some(token_expired()),
            refusal = evicted(&self.listening, &mut self.notices, &mut self.bell) => Some(refusal),
            () = std::future::ready(()) => None,
        };
        match evicted {
            Some(refusal) => self.end(refusal),
            None => self.catch_up().await,
        }
    }

    /// Reads the next part of the range that the viewer misses.
    async fn catch_up(&mut self) -> Vec<u8> {
        let context = Arc::clone(&self.context);
        let (room, shown) = (self.room.clone(), Arc::clone(&self.seat.room));
        let reader = RepairReader::of(&*context.bus, &shown, context.repair_sizes.of_stream());
        if let Some(after) = self.resume.take() {
            let up_to = reader.resume_at(after, self.position).await;
            if after > up_to {
                // A position that this room never had: the viewer starts at the room's position.
                context.metrics.repaired(RepairOutcome::Gone);
                self.position = up_to;
                let gone = Some((RepairOutcome::Gone, 0));
                let json = repair_json(&room, (up_to, up_to), &[], gone);
                let state = context.state_of(&self.seat.room);
                return event("batch", Some(up_to), &with_state(json, state.as_deref()));
            }
            self.position = after;
            self.missing = Some(MissingRange { up_to, cause: MissingCause::Resume });
        }
        let Some(MissingRange { up_to, cause }) = self.missing.take() else { return Vec::new() };
        let from = self.position;
        let Ok(range) = reader.range(from, Some(Sequence(up_to.0 + 1))).await else {
            // The next batch shows the gap, and the client asks the history for it.
            return event("batch", Some(from), &skip_json(&room, from, from, 0));
        };
        match cause {
            MissingCause::Resume => context.metrics.repaired(range.outcome),
            MissingCause::Lag => context.metrics.dropped(Class::Chat, "fallback", "slow", range.skipped),
        }
        self.position = range.covered_to.max(from);
        if self.position < up_to && self.position > from {
            self.missing = Some(MissingRange { up_to, cause });
        }
        let repair = Some((range.outcome, range.skipped));
        let json = repair_json(&room, (from, range.covered_to), &range.messages, repair);
        let lost =
            (range.outcome == RepairOutcome::Gone).then(|| context.state_of(&self.seat.room)).flatten();
        let json = with_state(json, lost.as_deref());
        event("batch", Some(self.position), &json)
    }
}

/// Waits for an eviction; keeps notices, and the last bell, that come before.
async fn evicted(
    listening: &Listening,
    notices: &mut VecDeque<Arc<Message>>,
    bell: &mut Option<Option<u64>>,
) -> Refusal {
    loop {
        match listening.next().await {
            News::Evicted(refusal) => return refusal,
            News::Notice(message) => keep(notices, message),
            News::Bell(spread) => *bell = Some(spread),
        }
    }
}

fn keep(notices: &mut VecDeque<Arc<Message>>, message: Arc<Message>) {
    if notices.len() >= NOTICES_MAX {
        notices.pop_front();
    }
    notices.push_back(message);
}
