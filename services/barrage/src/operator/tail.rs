//! Live tail of one room: its messages as the bus has them, as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_bus::{Event, Subscription, Topic};
use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Class, Code, Message, MessageId, RoomId, Sequence, UserId};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::context::Operator;

/// Longest duration of a tail, in seconds.
const SECS_MAX: u64 = 600;
/// Messages that a tail sends in one second; further ones are counted.
const MESSAGES_PER_S_MAX: u32 = 50;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TailQuery {
    /// Duration of the tail in seconds, 1 to 600.
    #[schemars(range(min = 1, max = 600))]
    secs: u64,
}

/// One message of a tail.
#[derive(Debug, Serialize)]
struct TailMessage<'a> {
    sequence: Sequence,
    at_ms: u64,
    class: Class,
    sender: Option<&'a UserId>,
    id: Option<&'a MessageId>,
    /// Body as viewers get it; `null` when it is not JSON.
    body: Value,
}

/// Messages that a tail did not send within the last second.
#[derive(Debug, Serialize)]
struct TailSkipped {
    count: u64,
}

/// Answers with the room's messages for `secs` seconds, from now on.
pub(super) async fn handle(
    State(operator): State<Arc<Operator>>,
    Path(room): Path<String>,
    query: Result<Query<TailQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let bad = |message: String| ApiError::new(Code::BadRequest, message);
    let Query(TailQuery { secs }) = query.map_err(|error| bad(error.body_text()))?;
    if !(1..=SECS_MAX).contains(&secs) {
        return Err(bad(format!("secs: 1 to {SECS_MAX}")));
    }
    let room = RoomId::parse(&room).map_err(|error| bad(error.to_string()))?;
    let bus = &operator.parts.bus;
    if !bus.settings().borrow().rooms.contains_key(&room) {
        return Err(ApiError::new(Code::UnknownRoom, "there is no such room"));
    }
    let permit = Arc::clone(&operator.tails).try_acquire_owned().map_err(|_| {
        let message = "this process has as many live tails as it can; close one";
        ApiError::new(Code::Overloaded, message).retry_after_ms(5_000)
    })?;
    let subscription = bus.subscribe(&Topic::Room(room)).await.map_err(Refusal::from)?;
    let tail = Tail::new(subscription, Duration::from_secs(secs), operator.parts.stop.clone(), permit);
    let body = stream::unfold(tail, |mut tail| async move {
        let event = tail.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(event)), tail))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that buffer would delay every event.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// A tail in progress. The permit is returned when the tail is dropped.
struct Tail {
    subscription: Subscription,
    ends_at: Instant,
    seconds: Interval,
    stop: CancellationToken,
    sent: u32,
    skipped: u64,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Tail {
    fn new(
        subscription: Subscription,
        lasts: Duration,
        stop: CancellationToken,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ends_at = Instant::now() + lasts;
        Tail { subscription, ends_at, seconds, stop, sent: 0, skipped: 0, is_over: false, _permit: permit }
    }

    /// Waits for the next event; `None` after the last one. Each second has one event at least, so
    /// that a connection without a reader is closed soon.
    async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        loop {
            let event = tokio::select! {
                event = self.subscription.next() => event,
                _ = self.seconds.tick() => return Some(self.second()),
                () = tokio::time::sleep_until(self.ends_at) => None,
                () = self.stop.cancelled() => None,
            };
            match event {
                Some(Event::Message(message)) if self.sent < MESSAGES_PER_S_MAX => {
                    self.sent += 1;
                    return Some(frame("message", &view(&message)));
                }
                Some(Event::Message(_)) => self.skipped += 1,
                // The number of dropped events is unknown; one stands for them.
                Some(Event::Lagged) => self.skipped += 1,
                Some(Event::Pulse(_)) => {}
                None => {
                    self.is_over = true;
                    return Some("event: end\ndata: {}\n\n".into());
                }
            }
        }
    }

    fn second(&mut self) -> String {
        self.sent = 0;
        match std::mem::take(&mut self.skipped) {
            0 => ": quiet\n\n".into(),
            count => frame("skipped", &TailSkipped { count }),
        }
    }
}

fn view(message: &Message) -> TailMessage<'_> {
    TailMessage {
        sequence: message.sequence,
        at_ms: message.at_ms,
        class: message.class,
        sender: message.sender.as_ref(),
        id: message.id.as_ref(),
        body: serde_json::from_slice(&message.body).unwrap_or_default(),
    }
}

/// Formats one event. JSON has no line breaks, so one data line is enough.
fn frame(event: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    format!("event: {event}\ndata: {data}\n\n")
}
