//! The review queue of a room: messages that wait for a moderator, and reports of viewers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{MessageId, Sequence, UserId};

/// What a review decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewKind {
    /// A message that a rule held back: nobody but its sender has seen it.
    Message,
    /// A report by viewers about a user, whose messages were shown.
    Report,
}

/// One entry of a room's review queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// Id of the review, in the path of its decision; the sender's answer names it, too.
    pub id: MessageId,
    /// Whether a message waits, or a report.
    pub kind: ReviewKind,
    /// Author of the message, or the user who was reported.
    pub user: UserId,
    /// Rule that sent the message here, such as `words:insults` or `links`; `report` for a report.
    pub rule: String,
    /// Cause of the hit without the text: a line, a host, the hook's reason; the reporter's reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Part of the text that the rule matched; absent for rules without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
    /// Body as viewers would get it; absent for a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
    /// Reports of viewers; absent for a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportedUser>,
    /// Unix time in milliseconds since which the review waits.
    pub at_ms: u64,
    /// Lock of a moderator who looks at it; absent when nobody does, or the lock has lapsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<ReviewLock>,
    /// Unix time in milliseconds at which the room's fallback decides; absent without a fallback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_at_ms: Option<u64>,
}

/// A moderator's claim on a review; others cannot decide it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewLock {
    /// Moderator who took the review.
    pub by: UserId,
    /// Unix time in milliseconds at which the lock lapses.
    pub until_ms: u64,
}

/// Reports of viewers about one user, with what the user wrote last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedUser {
    /// Reports so far, one for each reporter.
    pub count: u32,
    /// First reporters, at most 20.
    pub reporters: Vec<UserId>,
    /// Message that the first report named, which `deny` recalls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Last messages of the user at the time of the first report: at most ten, oldest first.
    pub evidence: Vec<Evidence>,
}

/// A message of a reported user, as it was broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Position of the message in the room's chain.
    pub sequence: Sequence,
    /// Body of the message.
    pub message: Value,
}

/// Decision of the room about a message that no moderator decided in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewFallback {
    /// The message appears in the room.
    Approve,
    /// The message never appears.
    Deny,
}

/// Body of `PUT /v1/rooms/{room}/reviews`, and the settings that a list of reviews shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewSettings {
    /// Decision about a message after `fallback_secs`; without one, a message waits for a moderator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ReviewFallback>,
    /// Seconds until the fallback, 1 to 86,400; 0 without a fallback.
    #[serde(default)]
    #[schemars(range(max = 86_400))]
    pub fallback_secs: u32,
}

/// Answer to `GET /v1/rooms/{room}/reviews`: the whole queue, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewList {
    /// Settings of the room's queue.
    pub settings: ReviewSettings,
    /// Reviews that wait for a decision.
    pub reviews: Vec<Review>,
    /// Messages that the full queue did not take, since this uplink started; they stay held.
    pub overflowed: u64,
}

/// What a moderator does with a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    /// Locks the review for a minute, so that no other moderator decides it.
    Take,
    /// Gives a lock back before it lapses.
    Release,
    /// Shows the message now; closes a report without a consequence.
    Approve,
    /// Never shows the message; recalls the message that a report named.
    Deny,
    /// Denies, and mutes the user.
    DenyAndMute,
}

impl ReviewDecision {
    /// Returns the stable name on the wire, in the audit log and in metric labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            ReviewDecision::Take => "take",
            ReviewDecision::Release => "release",
            ReviewDecision::Approve => "approve",
            ReviewDecision::Deny => "deny",
            ReviewDecision::DenyAndMute => "deny_and_mute",
        }
    }
}

/// Body of `POST /v1/rooms/{room}/reviews/{review}`. The same decision again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// What to do with the review.
    pub decision: ReviewDecision,
    /// Length of the mute in seconds, 1 to 315,360,000; 600 when absent. For `deny_and_mute` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 315_360_000))]
    pub secs: Option<u64>,
    /// Why, for the audit log alone: at most 1,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_000))]
    pub reason: Option<String>,
}

/// Answer to a decision, which is durable and in force by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewAnswer {
    /// Id of the review in the path.
    pub id: MessageId,
    /// Decision that is in force.
    pub decision: ReviewDecision,
    /// Moderator who made it first, or who has the lock; `fallback` for the room's fallback.
    pub by: UserId,
    /// Position of the approved message, or of the recall, in the room's chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// End of the lock or of the mute, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// The decision was made before, and the server changed nothing.
    pub duplicate: bool,
}

/// Body of `POST /v1/rooms/{room}/reports`: a viewer reports another user of the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// User whose messages a moderator should look at.
    pub user: UserId,
    /// Position of the message that is the cause, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Why, for moderators alone: at most 500 bytes.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub reason: String,
}

/// Answer to a report: moderators of the room see it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportAnswer {
    /// Id of the review that the report opened, or joined.
    pub review: MessageId,
    /// The sender has reported this user before, and the report still waits.
    pub duplicate: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_refuse_unknown_fields_and_decisions() {
        for bad in [r#"{"decision":"explode"}"#, r#"{"decision":"deny","until":1}"#, "{}"] {
            assert!(serde_json::from_str::<ReviewRequest>(bad).is_err(), "{bad}");
        }
        let denied: ReviewRequest =
            serde_json::from_str(r#"{"decision":"deny_and_mute","secs":60}"#).unwrap();
        assert_eq!((denied.decision.label(), denied.secs), ("deny_and_mute", Some(60)));
    }
}
