//! The admin call that sends a custom event to a room.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use barrage_bus::{BusError, Draft};
use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use barrage_protocol::event::{CustomEvent, EVENT_DATA_BYTES_MAX, EventAnswer, EventRequest};
use barrage_protocol::{Class, Code, MessageId, RoomId};
use barrage_token::Identity;
use sha2::{Digest, Sha256};

use super::context::{AdminContext, Answer, read_body};
use crate::event_senders::may_send;
use crate::room::{open_room, parse_room_id};

/// Sends an event of the customer's own servers to all viewers of a room. Under the same id the room
/// gets it once within the dedup window.
pub(super) async fn send(
    State(admin): State<Arc<AdminContext>>,
    Extension(by): Extension<Identity>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<EventAnswer> {
    let room = parse_room_id(&room)?;
    let request: EventRequest = read_body(request_body).await?;
    may_send(&admin.event_senders, &by.user, &room, &request.event, request.class)?;
    let id = request.id.clone();
    let draft = draft(&room, request, barrage_clock::unix_ms())?;
    if room.is_probe() {
        return Err(ApiError::new(Code::Forbidden, "this room is reserved for probes"));
    }
    open_room(&admin.control.settings(), &room)?;
    let receipts = admin.bus.publish(vec![draft]).await.map_err(refusal)?;
    let Some(receipt) = receipts.first() else {
        return Err(ApiError::new(
            Code::Internal,
            "the bus gave no receipt; send it again under the same id",
        ));
    };
    Ok(Json(EventAnswer { id, sequence: receipt.sequence, duplicate: receipt.duplicate }))
}

fn refusal(error: BusError) -> Refusal {
    match error {
        BusError::Conflict => {
            let message = "this id was used for another event; choose a new id";
            Refusal::new(Code::Conflict, message)
        }
        other => other.into(),
    }
}

/// Makes the draft of an event. The time is no part of the fingerprint: a repetition is a duplicate.
fn draft(room: &RoomId, request: EventRequest, at_ms: u64) -> Result<Draft, Refusal> {
    let class = Class::from(request.class);
    let data = request.data.to_string();
    if data.len() > EVENT_DATA_BYTES_MAX {
        let message =
            format!("data: {} bytes as compact JSON; at most {EVENT_DATA_BYTES_MAX} are sent", data.len());
        return Err(Refusal::new(Code::TooLarge, message));
    }
    let digest = Sha256::new()
        .chain_update(request.event.as_str())
        .chain_update([0])
        .chain_update(class.label())
        .chain_update([0])
        .chain_update(&data)
        .finalize();
    let fingerprint = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
    let id = draft_id(&request.id);
    let body = serde_json::to_vec(&CustomEvent::new(request, at_ms)).expect("events are plain data");
    Ok(Draft {
        room: room.clone(),
        class,
        sender: None,
        id: Some(id),
        fingerprint,
        to: None,
        trace: None,
        body: body.into(),
    })
}

/// Returns the id on the bus. Messages of the platform have no sender, so that ids of announcements
/// and events would otherwise meet.
fn draft_id(id: &MessageId) -> MessageId {
    let digest = Sha256::digest(id.as_str());
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    MessageId::parse(&format!("event:{hex}")).expect("the alphabet and the length are those of ids")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(id: &str, class: &str, data: &Value) -> EventRequest {
        serde_json::from_value(json!({ "id": id, "event": "shop.card", "class": class, "data": data }))
            .unwrap()
    }

    #[test]
    fn repetition_has_the_same_id_and_fingerprint_and_another_content_has_not() {
        let room: RoomId = "r".parse().unwrap();
        let of =
            |request, at_ms| draft(&room, request, at_ms).map(|draft| (draft.id, draft.fingerprint)).unwrap();
        let first = of(request("e1", "chat", &json!({ "a": 1 })), 1);
        assert_eq!(of(request("e1", "chat", &json!({ "a": 1 })), 2), first);
        let other = of(request("e1", "chat", &json!({ "a": 2 })), 1);
        assert!(other.0 == first.0 && other.1 != first.1);
        assert!(of(request("e1", "gift", &json!({ "a": 1 })), 1).1 != first.1);
        assert!(of(request("e2", "chat", &json!({ "a": 1 })), 1).0 != first.0);
    }

    #[test]
    fn data_is_bounded_in_its_compact_form() {
        let room: RoomId = "r".parse().unwrap();
        let of = |length| draft(&room, request("e1", "signal", &json!("x".repeat(length))), 1);
        assert_eq!(of(EVENT_DATA_BYTES_MAX - 2).unwrap().class, Class::Signal);
        assert_eq!(of(EVENT_DATA_BYTES_MAX - 1).unwrap_err().code, Code::TooLarge);
    }
}
