//! Verdict on an answer: whether it came from entry, and is new enough. Pure;
//! `vectors/sources.json` has cases that every client must pass.

use barrage_protocol::code::{ErrorBody, Refusal};
use barrage_protocol::entry::EntryAnswer;
use serde::Deserialize;
use serde_json::Value;

use super::order::CLOCK_ERROR_MS;

/// Purpose of a question to entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// To watch: the answer must have a downlink.
    Watch,
    /// To send: the answer must have an uplink.
    Send,
}

/// Cause for which an answer is not used, and the next source is tried.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Verdict {
    /// Entry itself refuses; its refusal is final.
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// The body is no JSON, as the page of a captive portal.
    #[error("status {0} without JSON: a captive portal or another server answers in the place of entry")]
    NotJson(u16),
    /// The body is JSON of another server.
    #[error("status {0} with JSON that is not an answer of entry")]
    NotAnAnswer(u16),
    /// No endpoint serves the purpose of the question.
    #[error("the answer has no endpoint")]
    NoEndpoint,
    /// The answer is older than the error of a clock explains. It is used when no source has a newer one.
    #[error("the answer was made more than {} days ago", CLOCK_ERROR_MS / 86_400_000)]
    TooOld(Box<EntryAnswer>),
}

/// Judges the answer of a server that was asked for `purpose`.
pub(crate) fn judge(status: u16, body: &[u8], purpose: Purpose, now_ms: u64) -> Result<EntryAnswer, Verdict> {
    let Ok(json) = serde_json::from_slice::<Value>(body) else { return Err(Verdict::NotJson(status)) };
    if !(200..300).contains(&status) {
        return Err(match serde_json::from_value::<ErrorBody>(json) {
            Ok(body) => Verdict::Refused(body.error),
            Err(_) => Verdict::NotAnAnswer(status),
        });
    }
    let Ok(answer) = serde_json::from_value::<EntryAnswer>(json) else {
        return Err(Verdict::NotAnAnswer(status));
    };
    let is_empty = match purpose {
        Purpose::Watch => answer.downlinks.is_empty(),
        Purpose::Send => answer.uplinks.is_empty(),
    };
    if is_empty {
        return Err(Verdict::NoEndpoint);
    }
    if answer.issued_ms.is_some_and(|issued_ms| now_ms.saturating_sub(issued_ms) > CLOCK_ERROR_MS) {
        return Err(Verdict::TooOld(Box::new(answer)));
    }
    Ok(answer)
}

impl Verdict {
    /// Label of the verdict in the test vectors.
    #[cfg(test)]
    pub(super) fn label(&self) -> &'static str {
        match self {
            Verdict::Refused(_) => "refused",
            Verdict::NotJson(_) => "not_json",
            Verdict::NotAnAnswer(_) => "not_an_answer",
            Verdict::NoEndpoint => "no_endpoint",
            Verdict::TooOld(_) => "too_old",
        }
    }
}
