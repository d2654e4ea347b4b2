//! Long polling, and short polling without a wait: for networks that pass nothing else. Stateless:
//! the position is in the request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_bus::BusError;
use barrage_clock::unix_ms;
use barrage_http::{ApiError, bearer};
use barrage_protocol::code::Refusal;
use barrage_protocol::facts::Platform;
use barrage_protocol::frame::{Notice, PollNotices, RepairOutcome};
use barrage_protocol::{ClientFacts, Code, Sequence, UserId};
use barrage_token::Role;
use bytes::Bytes;
use http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::admit;
use super::room_path::room;
use crate::admission::{ends_at_secs, token_expired};
use crate::context::Context;
use crate::dispatch::News;
use crate::room::{RepairReader, SeatKind, repair_json, with_state};
use crate::viewer::frame_of;

/// Acknowledgements taken from one request; further ones are ignored.
const ACKS_MAX: usize = 64;
/// Longest sleep towards the end of a token, in milliseconds: the wall clock may be set meanwhile.
const TOKEN_SLEEP_MS_MAX: u64 = 3_600_000;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PollQuery {
    /// Position after which messages are wanted; the answer has the current position when absent.
    after: Option<u64>,
    /// Longest wait for a message in seconds; the gateway bounds it.
    wait_secs: Option<u64>,
    /// Short name of `wait_secs`, which counts when both are there.
    wait: Option<u64>,
    /// Sequences of received notices, with commas; may be empty. Its presence means
    /// that the client acknowledges, so that waiting notices are answered at once.
    ack: Option<String>,
    /// Facts of the client as JSON, in the first poll alone.
    client: Option<String>,
    /// Platform of the client in every poll, as `client` names it: `overlay` is in no count of viewers.
    platform: Option<String>,
}

pub(super) async fn handle(
    State(context): State<Arc<Context>>,
    Path(room_text): Path<String>,
    Query(query): Query<PollQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let room = room(&room_text)?;
    let identity = admit::identify(&context, &room, bearer(&headers))?;
    let user = identity.as_ref().map(|identity| &identity.user);
    if let (Some(user), Some(ack)) = (user, &query.ack) {
        context.notices.acknowledge(user, &sequences(ack)?);
    }
    let role = identity.as_ref().map_or(Role::Viewer, |identity| identity.role);
    let _admission = admit::admit(&context, identity.as_ref())?;
    let facts = query.client.as_deref().map(ClientFacts::parse);
    let kind = match &query.platform {
        Some(platform) => SeatKind::of_platform(Platform::parse(platform)),
        None => SeatKind::of(facts.as_ref()),
    };
    let seat = context.seat(&room, (user, role), kind).await.map_err(Refusal::from)?;
    if let Some(facts) = &facts {
        context.metrics.clients.joined(Some(facts), context.config.client_versions_max);
    }
    let Some(after) = query.after.map(Sequence) else {
        let position = seat.room.position();
        let json = repair_json(&room, (position, position), &[], None);
        // Behind the position: the state must not be older.
        let state = context.state_of(&seat.room);
        return Ok(answer(&context, user, with_state(json, state.as_deref())));
    };
    let wait_secs = query.wait_secs.or(query.wait).unwrap_or(0).min(context.config.poll_wait_secs_max);
    let mut changed = seat.room.changed.subscribe();
    let listening = context.dispatch.listeners.listen(Some(&room), user);
    // Evictions reach the poll from here on; one may have come before.
    admit::check(&context, &room, identity.as_ref())?;
    let ends_at_secs = identity.as_ref().map(|identity| ends_at_secs(&context.gate.access, identity));
    let token_ends = token_ends(ends_at_secs);
    let deadline = tokio::time::sleep(Duration::from_secs(wait_secs));
    tokio::pin!(deadline, token_ends);
    let mut has_notices = query.ack.is_some() && user.is_some_and(|user| context.notices.has_pending(user));
    let reader = RepairReader::of(&*context.bus, &seat.room, context.repair_sizes);
    loop {
        let range = reader.range(after, None).await.map_err(|error| unavailable(&error))?;
        let is_empty = range.covered_to == after && range.outcome == RepairOutcome::Complete;
        if !is_empty || wait_secs == 0 || has_notices {
            context.metrics.repaired(range.outcome);
            let previous = after.min(range.covered_to);
            let repair = Some((range.outcome, range.skipped));
            let json = repair_json(&room, (previous, range.covered_to), &range.messages, repair);
            // A client states its facts in its first poll, which may resume without a state.
            let is_wanted = range.outcome == RepairOutcome::Gone || query.client.is_some();
            let state = is_wanted.then(|| context.state_of(&seat.room)).flatten();
            let json = with_state(json, state.as_deref());
            return Ok(answer(&context, user, json));
        }
        tokio::select! {
            news = listening.next() => match news {
                News::Evicted(refusal) => return Err(refusal.into()),
                News::Notice(_) => has_notices = true,
                News::Bell(_) => {}
            },
            () = &mut token_ends => return Err(token_expired().into()),
            woken = changed.changed() => if woken.is_err() { break },
            () = &mut deadline => break,
            () = context.lifecycle.shutdown.cancelled() => break,
            () = context.lifecycle.ended.cancelled() => break,
        }
    }
    let nothing = Some((RepairOutcome::Complete, 0));
    Ok(answer(&context, user, repair_json(&room, (after, after), &[], nothing)))
}

fn unavailable(error: &BusError) -> ApiError {
    ApiError::new(Code::Unavailable, error.to_string()).retry_after_ms(1_000)
}

fn sequences(ack: &str) -> Result<Vec<Sequence>, ApiError> {
    let texts = ack.split(',').filter(|text| !text.is_empty()).take(ACKS_MAX);
    let numbers = texts.map(|text| text.trim().parse().map(Sequence));
    numbers.collect::<Result<_, _>>().map_err(|_| {
        ApiError::new(Code::BadRequest, "ack: sequences of notices with commas, as `ack=91,93`, or nothing")
    })
}

/// Waits until these Unix seconds are over; for ever without a token.
pub(super) async fn token_ends(ends_at_secs: Option<u64>) {
    let Some(ends_at_secs) = ends_at_secs else { return std::future::pending().await };
    loop {
        let left_ms = ends_at_secs.saturating_add(1).saturating_mul(1_000).saturating_sub(unix_ms());
        if left_ms == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(left_ms.min(TOKEN_SLEEP_MS_MAX))).await;
    }
}

/// Answers with a batch, and beside its fields the user's unacknowledged notices.
fn answer(context: &Context, user: Option<&UserId>, batch: Bytes) -> Response {
    let waiting = user.map(|user| context.notices.pending(user)).unwrap_or_default();
    let notices: Vec<_> = waiting.iter().filter_map(|message| frame_of(message)).collect();
    let json = if notices.is_empty() { batch } else { with_notices(&batch, notices) };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, json).into_response()
}

/// Joins two JSON objects: the field of the notices follows those of the batch.
fn with_notices(batch: &[u8], notices: Vec<Notice>) -> Bytes {
    let notices = serde_json::to_vec(&PollNotices { notices }).expect("notices are plain data");
    let mut json = batch.strip_suffix(b"}").unwrap_or(batch).to_vec();
    json.push(b',');
    json.extend_from_slice(notices.strip_prefix(b"{").unwrap_or(&notices));
    json.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledged_sequences_are_numbers_with_commas() {
        let parsed = |text| sequences(text).map(|all| all.iter().map(|it| it.0).collect::<Vec<_>>());
        assert_eq!(parsed("91, 93,").unwrap(), [91, 93]);
        assert!(parsed("").unwrap().is_empty());
        assert!(parsed("91,x").is_err());
    }

    #[test]
    fn notices_join_the_fields_of_the_batch() {
        let body = serde_json::value::RawValue::from_string("{}".into()).unwrap();
        let json = with_notices(br#"{"room":"demo"}"#, vec![Notice { sequence: Sequence(4), body }]);
        let joined: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((&joined["room"], &joined["notices"][0]["sequence"]), (&"demo".into(), &4.into()));
    }
}
