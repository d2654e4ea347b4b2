//! An announcement to every open room, room by room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use barrage_bus::{BusError, Draft, Receipt};
use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, MessageId, RoomId};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::admin::{read, signal_draft};
use crate::compose::Signal;
use crate::routes::Uplink;
use crate::text::clean;

/// Rooms that failed and are named in the answer; the others are only counted.
const NAMED_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    text: String,
    /// To send it again after a failure: rooms that have it are left out.
    id: Option<MessageId>,
}

/// What became of an announcement.
#[derive(Debug, Default)]
struct Tally {
    rooms: usize,
    reached: usize,
    /// Had it already, under the same id.
    repeated: usize,
    failed: usize,
    named: BTreeMap<RoomId, Code>,
    /// The id was used for another text.
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

    /// 200 when all rooms have it, 207 when some have, an error when none has.
    fn answer(&self, id: &MessageId) -> Result<(StatusCode, Json<Value>), ApiError> {
        if self.is_conflict {
            let message = "this id was used for another announcement; choose a new id";
            return Err(ApiError::new(Code::Conflict, message));
        }
        if self.failed > 0 && self.failed == self.rooms {
            let message = format!("no room was reached; send it again with the id {id}");
            return Err(ApiError::new(Code::Unavailable, message).retry_after_ms(1_000));
        }
        let status = if self.failed == 0 { StatusCode::OK } else { StatusCode::MULTI_STATUS };
        let failures: Vec<_> =
            self.named.iter().map(|(room, code)| json!({ "room": room, "code": code })).collect();
        Ok((
            status,
            Json(json!({
                "id": id,
                "rooms": self.rooms,
                "reached": self.reached,
                "repeated": self.repeated,
                "failed": self.failed,
                "failures": failures,
            })),
        ))
    }
}

/// Publishes to so many rooms at a time, until all are done or the time is over; then the rest
/// counts as failed. Under the same id, within the dedup window, a room gets it once.
pub(crate) async fn broadcast(
    State(uplink): State<Arc<Uplink>>,
    request_body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let asked: Announcement = read(request_body).await?;
    let text = clean(&asked.text, uplink.config.text_chars_max)
        .map_err(|error| ApiError::new(Code::BadText, format!("text: {error}")))?;
    let id = match asked.id {
        Some(id) => id,
        None => MessageId::parse(&format!("broadcast-{:016x}", rand::random::<u64>()))
            .map_err(|error| ApiError::new(Code::Internal, error.to_string()))?,
    };
    let settings = uplink.bus.settings().borrow().clone();
    let open: Vec<_> =
        settings.rooms.iter().filter(|(_, room)| !room.closed).map(|(id, _)| id.clone()).collect();
    to_rooms(&uplink, open, &text, &id).await.answer(&id)
}

async fn to_rooms(uplink: &Arc<Uplink>, open: Vec<RoomId>, text: &str, id: &MessageId) -> Tally {
    let digest = Sha256::digest(text.as_bytes());
    let fingerprint = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
    let draft = |room: &RoomId| Draft {
        id: Some(id.clone()),
        fingerprint,
        ..signal_draft(room, &Signal::Announcement { text }, None)
    };
    let mut tally = Tally { rooms: open.len(), ..Tally::default() };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(uplink.config.broadcast_secs_max);
    let mut rooms = open.into_iter();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < uplink.config.broadcast_rooms_at_once.max(1)
            && let Some(room) = rooms.next()
        {
            let (bus, draft) = (Arc::clone(&uplink.bus), draft(&room));
            under_way.spawn(async move { (room, bus.publish(vec![draft]).await) });
        }
        match tokio::time::timeout_at(deadline, under_way.join_next()).await {
            Ok(Some(Ok((room, result)))) => tally.add(room, result),
            Ok(Some(Err(error))) => {
                tracing::error!(%error, "an announcement to a room ended without an answer")
            }
            Ok(None) => break,
            Err(_) => break,
        }
    }
    // Out of time: those under way may have it, and their repetition under the id is none.
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
    fn the_answer_says_what_was_reached() {
        let id: MessageId = "b".parse().unwrap();
        let receipt = |duplicate| vec![Receipt { sequence: Default::default(), at_ms: 0, duplicate }];
        let mut tally = Tally { rooms: 3, ..Tally::default() };
        tally.add("a".parse().unwrap(), Ok(receipt(false)));
        tally.add("b".parse().unwrap(), Ok(receipt(true)));
        tally.add("c".parse().unwrap(), Err(BusError::Unavailable("away".into())));
        let (status, Json(body)) = tally.answer(&id).unwrap();
        assert_eq!(status, StatusCode::MULTI_STATUS);
        let expected = json!({
            "id": "b", "rooms": 3, "reached": 1, "repeated": 1, "failed": 1,
            "failures": [{ "room": "c", "code": "unavailable" }],
        });
        assert_eq!(body, expected);
        let mut none = Tally { rooms: 1, ..Tally::default() };
        none.fail("a".parse().unwrap(), Code::Timeout);
        assert_eq!(none.answer(&id).unwrap_err().0.code, Code::Unavailable);
        let all = Tally { rooms: 1, reached: 1, ..Tally::default() };
        assert_eq!(all.answer(&id).unwrap().0, StatusCode::OK);
    }
}
