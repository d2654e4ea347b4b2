//! What a reported user wrote last, and whether an approved message is in the room already.

use barrage_bus::{Bus, RangeLimits, Topic};
use barrage_protocol::code::Refusal;
use barrage_protocol::review::Evidence;
use barrage_protocol::{Class, MessageId, RoomId, Sequence, UserId};

/// Messages of a reported user that a review keeps.
const EVIDENCE_MAX: usize = 10;
/// Bytes of all messages of one review; older messages than these are left out.
const EVIDENCE_BYTES_MAX: usize = 4 * 1024;
/// Newest chat messages of the room that are searched.
const SEARCHED_MAX: usize = 1_000;
/// Reads of the bus that look for an approved message.
const READS_MAX: usize = 64;

/// Returns the last messages of a user that the bus still has, oldest first.
pub(super) async fn last_of(bus: &dyn Bus, room: &RoomId, user: &UserId) -> Result<Vec<Evidence>, Refusal> {
    // A range is cut at its new end by gifts and bytes, and at its old end by chat: only chat is bounded.
    let limits = RangeLimits { chat_max: SEARCHED_MAX, precious_max: usize::MAX, bytes_max: 4 * 1024 * 1024 };
    let range = bus.range(&Topic::Room(room.clone()), Sequence::ZERO, None, limits).await?;
    let (mut evidence, mut bytes) = (Vec::new(), 0);
    for message in range.messages.iter().rev() {
        if message.class == Class::Signal || message.sender.as_ref() != Some(user) {
            continue;
        }
        bytes += message.body.len();
        if evidence.len() == EVIDENCE_MAX || bytes > EVIDENCE_BYTES_MAX {
            break;
        }
        let body = serde_json::from_slice(&message.body).unwrap_or_default();
        evidence.push(Evidence { sequence: message.sequence, message: body });
    }
    evidence.reverse();
    Ok(evidence)
}

/// Returns the position of a user's message with this id after `after`; `None` when the room has none.
pub(super) async fn published(
    bus: &dyn Bus,
    room: &RoomId,
    user: &UserId,
    id: &MessageId,
    mut after: Sequence,
) -> Result<Option<Sequence>, Refusal> {
    let topic = Topic::Room(room.clone());
    let limits = RangeLimits { chat_max: usize::MAX, precious_max: usize::MAX, ..RangeLimits::default() };
    for _ in 0..READS_MAX {
        let range = bus.range(&topic, after, None, limits).await?;
        let is_it = |message: &&std::sync::Arc<barrage_protocol::Message>| {
            message.sender.as_ref() == Some(user) && message.id.as_ref() == Some(id)
        };
        if let Some(message) = range.messages.iter().find(is_it) {
            return Ok(Some(message.sequence));
        }
        if range.covered_to <= after || range.messages.is_empty() {
            break;
        }
        after = range.covered_to;
    }
    Ok(None)
}
