//! What a queue knows, who may see it, and what its fallback decides. Pure.

use barrage_bus::{BusError, Draft, ReviewItem, ReviewQueue, Settings};
use barrage_protocol::code::Refusal;
use barrage_protocol::review::{
    Evidence, ReportRequest, ReportedUser, Review, ReviewDecision, ReviewFallback, ReviewKind,
};
use barrage_protocol::{Code, MessageId, RoomId, Sequence, UserId};
use barrage_store::AuditRecord;
use barrage_token::{Identity, Role};
use serde_json::Value;

use crate::room::{in_room, open_room, refuse_kicked};
use crate::text::printable;

/// Name by which the room's fallback decides.
pub(super) const FALLBACK: &str = "fallback";

/// What became of a post that a rule sent to review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Queued {
    /// A moderator decides about it, under this id.
    Waiting(MessageId),
    /// The queue is full: the post stays held.
    Overflowed,
    /// It was approved before, and has this position.
    Approved(Sequence),
    /// It was denied before, under this id.
    Denied(MessageId),
}

/// Makes the entry of a report.
pub(super) fn reported(
    id: MessageId,
    by: &UserId,
    request: ReportRequest,
    evidence: Vec<Evidence>,
) -> ReviewItem {
    let reporters = vec![by.clone()];
    let review = Review {
        id,
        kind: ReviewKind::Report,
        user: request.user,
        rule: "report".into(),
        detail: printable(&request.reason).into_owned(),
        matched: None,
        message: None,
        report: Some(ReportedUser { count: 1, reporters, sequence: request.sequence, evidence }),
        at_ms: barrage_clock::unix_ms(),
        lock: None,
        fallback_at_ms: None,
    };
    ReviewItem { review, held: None, verdict: None }
}

/// Returns what the queue knows of a post that comes again.
pub(super) fn known(queue: &ReviewQueue, id: &MessageId, draft: &Draft) -> Result<Option<Queued>, Refusal> {
    if let Some(held) = queue.find(id).and_then(|item| item.held.as_ref()) {
        if held.fingerprint != draft.fingerprint {
            return Err(BusError::Conflict.into());
        }
        return Ok(Some(Queued::Waiting(id.clone())));
    }
    Ok(queue.decided(id).map(|decided| match decided.sequence {
        Some(sequence) => Queued::Approved(sequence),
        None => Queued::Denied(id.clone()),
    }))
}

/// Returns the decision of the room's fallback about an entry whose time is over.
pub(super) fn fallback(
    settings: &Settings,
    room: &RoomId,
    queue: &ReviewQueue,
    item: &ReviewItem,
    now_ms: u64,
) -> Option<ReviewDecision> {
    let (fallback, at_ms) = (queue.settings().fallback?, item.review.fallback_at_ms?);
    if at_ms > now_ms || queue.lock_of_another(&item.review.id, &fallback_user(), now_ms).is_some() {
        return None;
    }
    // The room has changed its mind about the sender meanwhile, or takes no messages.
    let may_speak =
        open_room(settings, room).is_ok() && settings.restriction(room, &item.review.user, now_ms).is_none();
    Some(match fallback {
        ReviewFallback::Approve if may_speak => ReviewDecision::Approve,
        ReviewFallback::Approve | ReviewFallback::Deny => ReviewDecision::Deny,
    })
}

pub(super) fn fallback_user() -> UserId {
    UserId::parse(FALLBACK).expect("the name is a valid id")
}

pub(super) fn queue_of(settings: &Settings, room: &RoomId) -> ReviewQueue {
    settings.reviews.get(room).cloned().unwrap_or_default()
}

pub(super) fn may_enter(settings: &Settings, room: &RoomId, by: &Identity) -> Result<Role, Refusal> {
    if room.is_probe() || by.role == Role::Probe {
        return Err(Refusal::new(Code::Forbidden, "a probe may only chat"));
    }
    open_room(settings, room)?;
    refuse_kicked(settings, room, &by.user, barrage_clock::unix_ms())?;
    Ok(in_room(settings, room, by).role)
}

/// Returns the role of a caller who may moderate the room.
pub(crate) fn moderator(settings: &Settings, room: &RoomId, by: &Identity) -> Result<Role, Refusal> {
    let role = may_enter(settings, room, by)?;
    if role >= Role::Moderator {
        return Ok(role);
    }
    let message = format!("your role in this room is {}, and this needs moderator", role.label());
    Err(Refusal::new(Code::Forbidden, message))
}

/// Makes a line of the audit log.
pub(crate) fn line(
    room: &RoomId,
    actor: &UserId,
    user: Option<&UserId>,
    action: &str,
    detail: Value,
) -> AuditRecord {
    AuditRecord {
        at_ms: barrage_clock::unix_ms(),
        room: Some(room.clone()),
        user: user.cloned(),
        actor: actor.to_string(),
        action: action.into(),
        detail,
    }
}
