//! The admin call that announces a text to every open room.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use barrage_bus::{BusError, Draft, Receipt};
use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, MessageId, RoomId};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tracing::Instrument;

use super::context::{AdminContext, read_body};
use crate::room::{Signal, signal_draft};
use crate::text::CleanText;

/// Maximum failed rooms that the answer names. Further ones are only counted.
const NAMED_MAX: usize = 100;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    /// Text that every open room shows; it is not empty.
    #[schemars(length(min = 1))]
    text: String,
    /// The id of an earlier call, to repeat it: rooms that have the announcement are skipped.
    id: Option<MessageId>,
}

/// Number of rooms that an announcement reached.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Announced {
    /// Id of the announcement; the same id again reaches only the rooms that failed.
    id: MessageId,
    /// Number of open rooms.
    rooms: usize,
    /// Rooms that have the announcement by this call.
    reached: usize,
    /// Rooms that had it already, under the same id.
    repeated: usize,
    /// Rooms that do not have it.
    failed: usize,
    /// The failed rooms, at most 100.
    failures: Vec<FailedRoom>,
}

/// A room that does not have an announcement, and why.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct FailedRoom {
    /// Room without the announcement.
    room: RoomId,
    /// Cause, as a refusal names it.
    code: Code,
}

/// The results of an announcement by room.
#[derive(Debug, Default)]
struct Tally {
    rooms: usize,
    reached: usize,
    /// Rooms that had the announcement already, under the same id.
    repeated: usize,
    failed: usize,
    named: BTreeMap<RoomId, Code>,
    /// Whether the id was used for another text.
    is_conflict: bool,
}

impl Tally {
    fn add(&mut self, room: RoomId, result: Result<Vec<Receipt>, BusError>) {
        match result {
            Ok(receipts) if receipts.iter().any(|receipt| receipt.duplicate) => self.repeated += 1,
            Ok(_) => self.reached += 1,
            Err(error) => {
                self.is_conflict |= error == BusError::Conflict;
                self.fail(room, Refusal::from(error).code);
            }
        }
    }

    fn fail(&mut self, room: RoomId, code: Code) {
        self.failed += 1;
        if self.named.len() < NAMED_MAX {
            self.named.insert(room, code);
        }
    }

    /// Answers 200 when all rooms have the announcement, 207 when some have, and an error when
    /// none has.
    fn answer(&self, id: &MessageId) -> Result<(StatusCode, Json<Announced>), ApiError> {
        if self.is_conflict {
            let message = "this id was used for another announcement; choose a new id";
            return Err(ApiError::new(Code::Conflict, message));
        }
        if self.failed > 0 && self.failed == self.rooms {
            let message = format!("no room was reached; send it again with the id {id}");
            return Err(ApiError::new(Code::Unavailable, message).retry_after_ms(1_000));
        }
        let status = if self.failed == 0 { StatusCode::OK } else { StatusCode::MULTI_STATUS };
        let failures = self.named.iter().map(|(room, code)| FailedRoom { room: room.clone(), code: *code });
        let announced = Announced {
            id: id.clone(),
            rooms: self.rooms,
            reached: self.reached,
            repeated: self.repeated,
            failed: self.failed,
            failures: failures.collect(),
        };
        Ok((status, Json(announced)))
    }
}

/// Announces a text to every open room. At the timeout the remaining rooms count as failed. Within
/// the dedup window a room gets an announcement once, however often it is sent under its id.
pub(super) async fn handle(
    State(admin): State<Arc<AdminContext>>,
    request_body: Body,
) -> Result<(StatusCode, Json<Announced>), ApiError> {
    let asked: Announcement = read_body(request_body).await?;
    let text = CleanText::new(&asked.text, admin.text_chars_max)
        .map_err(|error| ApiError::new(Code::BadText, format!("text: {error}")))?;
    let id = match asked.id {
        Some(id) => id,
        None => MessageId::parse(&format!("broadcast-{:016x}", rand::random::<u64>()))
            .map_err(|error| ApiError::new(Code::Internal, error.to_string()))?,
    };
    let settings = admin.control.settings();
    let open: Vec<_> =
        settings.rooms.iter().filter(|(_, room)| !room.closed).map(|(id, _)| id.clone()).collect();
    to_rooms(&admin, open, text.as_str(), &id).await.answer(&id)
}

/// Publishes to `broadcast_rooms_at_once` rooms at a time.
async fn to_rooms(admin: &AdminContext, open: Vec<RoomId>, text: &str, id: &MessageId) -> Tally {
    let digest = Sha256::digest(text.as_bytes());
    let fingerprint = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
    let draft = |room: &RoomId| Draft {
        id: Some(id.clone()),
        fingerprint,
        ..signal_draft(room, &Signal::Announcement { text }, None, None)
    };
    let mut tally = Tally { rooms: open.len(), ..Tally::default() };
    let deadline = tokio::time::Instant::now() + admin.broadcast_timeout;
    let mut rooms = open.into_iter();
    let mut publishing = JoinSet::new();
    loop {
        while publishing.len() < admin.broadcast_rooms_at_once.max(1)
            && let Some(room) = rooms.next()
        {
            let (bus, draft) = (Arc::clone(&admin.bus), draft(&room));
            let publish = async move { (room, bus.publish(vec![draft]).await) };
            publishing.spawn(publish.in_current_span());
        }
        match tokio::time::timeout_at(deadline, publishing.join_next()).await {
            Ok(Some(Ok((room, result)))) => tally.add(room, result),
            Ok(Some(Err(error))) => {
                tracing::error!(%error, "a task that published an announcement ended without a result")
            }
            Ok(None) => break,
            Err(_) => break,
        }
    }
    // At the timeout: rooms in progress may have the announcement, and a repetition under the same
    // id does not show it twice.
    for room in rooms {
        tally.fail(room, Code::Timeout);
    }
    tally.failed = tally.rooms - tally.reached - tally.repeated;
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_counts_reached_repeated_and_failed_rooms() {
        let id: MessageId = "b".parse().unwrap();
        let receipt = |duplicate| vec![Receipt { sequence: Default::default(), at_ms: 0, duplicate }];
        let mut tally = Tally { rooms: 3, ..Tally::default() };
        tally.add("a".parse().unwrap(), Ok(receipt(false)));
        tally.add("b".parse().unwrap(), Ok(receipt(true)));
        tally.add("c".parse().unwrap(), Err(BusError::Unavailable("away".into())));
        let (status, Json(body)) = tally.answer(&id).unwrap();
        assert_eq!(status, StatusCode::MULTI_STATUS);
        let failures = vec![FailedRoom { room: "c".parse().unwrap(), code: Code::Unavailable }];
        let expected = Announced { id: id.clone(), rooms: 3, reached: 1, repeated: 1, failed: 1, failures };
        assert_eq!(body, expected);
        let mut none = Tally { rooms: 1, ..Tally::default() };
        none.fail("a".parse().unwrap(), Code::Timeout);
        assert_eq!(none.answer(&id).unwrap_err().0.code, Code::Unavailable);
        let all = Tally { rooms: 1, reached: 1, ..Tally::default() };
        assert_eq!(all.answer(&id).unwrap().0, StatusCode::OK);
    }
}
