//! Ids of reviews, and bounds of requests. Pure.

use barrage_protocol::code::Refusal;
use barrage_protocol::review::{ReportRequest, ReviewDecision, ReviewRequest, ReviewSettings};
use barrage_protocol::{Code, MessageId, RoomId, UserId};
use sha2::{Digest, Sha256};

/// Maximum length of a mute: ten years, in effect for ever.
const MUTE_SECS_MAX: u64 = 315_360_000;
/// Length of a mute when the moderator names none.
const MUTE_SECS: u64 = 600;
const FALLBACK_SECS_MAX: u32 = 86_400;
const REASON_BYTES_MAX: usize = 1_000;
const REPORT_REASON_BYTES_MAX: usize = 500;

/// Returns the id of the review of a message. The same message has the same review at every uplink.
pub(super) fn review_id(room: &RoomId, user: &UserId, message: &MessageId) -> Result<MessageId, Refusal> {
    named("message", [room.as_str(), user.as_str(), message.as_str()])
}

/// Returns the id of the review of all reports about a user.
pub(super) fn report_id(room: &RoomId, user: &UserId) -> Result<MessageId, Refusal> {
    named("report", [room.as_str(), user.as_str(), ""])
}

/// Returns the id of the signal that a decision sends.
pub(super) fn signal_id(review: &MessageId, effect: &str) -> Result<MessageId, Refusal> {
    named(effect, [review.as_str(), "", ""])
}

fn named(kind: &str, parts: [&str; 3]) -> Result<MessageId, Refusal> {
    let mut hash = Sha256::new().chain_update(kind);
    for part in parts {
        hash = hash.chain_update([0]).chain_update(part);
    }
    let name: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    MessageId::parse(&format!("rv-{name}")).map_err(|error| Refusal::new(Code::Internal, error.to_string()))
}

/// Checks a decision, and returns the length of its mute; 0 without one.
pub(super) fn mute_secs(request: &ReviewRequest) -> Result<u64, Refusal> {
    let bad = |message: String| Err(Refusal::new(Code::BadRequest, message));
    if request.reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        return bad(format!("reason: at most {REASON_BYTES_MAX} bytes"));
    }
    match (request.decision, request.secs) {
        (ReviewDecision::DenyAndMute, Some(secs)) if !(1..=MUTE_SECS_MAX).contains(&secs) => {
            bad(format!("secs: 1 to {MUTE_SECS_MAX}"))
        }
        (ReviewDecision::DenyAndMute, secs) => Ok(secs.unwrap_or(MUTE_SECS)),
        (_, Some(_)) => bad("secs: for deny_and_mute alone".into()),
        (_, None) => Ok(0),
    }
}

/// Checks the settings of a queue.
pub(super) fn checked_settings(settings: ReviewSettings) -> Result<(), Refusal> {
    let bad = |message: &str| Err(Refusal::new(Code::BadRequest, message));
    match (settings.fallback, settings.fallback_secs) {
        (Some(_), 1..=FALLBACK_SECS_MAX) | (None, 0) => Ok(()),
        (Some(_), _) => bad("fallback_secs: 1 to 86400"),
        (None, _) => bad("fallback_secs: 0 without a fallback"),
    }
}

/// Checks the form of a report.
pub(super) fn checked_report(request: &ReportRequest, by: &UserId) -> Result<(), Refusal> {
    if request.reason.len() > REPORT_REASON_BYTES_MAX {
        let message = format!("reason: at most {REPORT_REASON_BYTES_MAX} bytes");
        return Err(Refusal::new(Code::BadRequest, message));
    }
    if request.user == *by {
        return Err(Refusal::new(Code::BadRequest, "user: not yourself"));
    }
    Ok(())
}
