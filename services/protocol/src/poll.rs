//! Polls of a room: requests, votes, counts and results.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MessageId;

/// Number of options that a poll may have.
pub const OPTIONS: RangeInclusive<usize> = 2..=10;
/// Length of a poll in seconds: ten seconds to a day.
pub const SECS: RangeInclusive<u64> = 10..=86_400;
/// Maximum characters of a question.
pub const QUESTION_CHARS_MAX: usize = 120;
/// Maximum characters of an option.
pub const OPTION_CHARS_MAX: usize = 40;

/// Body of `POST /v1/rooms/{room}/polls`: a poll that starts now. Unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PollRequest {
    /// Id of the poll, unique within its room; the same id again repeats nothing.
    pub id: MessageId,
    /// Question of 1 to 120 characters after cleaning.
    pub question: String,
    /// 2 to 10 options of 1 to 40 characters, all different; voters name them by number, from 1.
    #[schemars(length(min = 2, max = 10))]
    pub options: Vec<String>,
    /// Seconds until the poll closes by itself, 10 to 86,400.
    #[schemars(range(min = 10, max = 86_400))]
    pub secs: u64,
    /// Whether guests may vote; they may when this is absent.
    #[serde(default = "yes")]
    pub guests: bool,
    /// Whether a chat that is the number or the text of an option is a vote; not when absent.
    #[serde(default)]
    pub words: bool,
}

fn yes() -> bool {
    true
}

/// A poll as all viewers see it. It is in the state of its room while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Poll {
    /// Id of the poll, unique within its room.
    pub id: MessageId,
    /// Question of the poll, after cleaning.
    pub question: String,
    /// Options, cleaned; voters name them by number, from 1.
    pub options: Vec<String>,
    /// Start in Unix milliseconds.
    pub opened_ms: u64,
    /// End in Unix milliseconds; a moderator may close the poll before it.
    pub ends_ms: u64,
    /// Whether guests may vote.
    #[serde(default = "yes")]
    pub guests: bool,
    /// Whether chat with the number or the text of an option is a vote.
    #[serde(default)]
    pub words: bool,
}

impl Poll {
    /// Returns whether the poll's time is over at `now_ms`, Unix milliseconds.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.ends_ms <= now_ms
    }
}

/// Body of `POST /v1/rooms/{room}/polls/{id}/votes`: one vote of the token's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VoteRequest {
    /// Number of the option, from 1.
    #[schemars(range(min = 1, max = 10))]
    pub option: u8,
}

/// Answer to a vote, which is durable by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VoteAnswer {
    /// Id of the poll.
    pub poll: MessageId,
    /// Option that counts for the user: the first one that the user voted for.
    pub option: u8,
    /// The user had voted before, and this vote changed nothing.
    pub duplicate: bool,
}

/// A poll with its votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PollView {
    /// The poll as viewers see it.
    #[serde(flatten)]
    pub poll: Poll,
    /// Votes by option, in the order of the options.
    pub votes: Vec<u64>,
    /// End of the voting in Unix milliseconds; absent while the poll runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_ms: Option<u64>,
}

/// Answer to the opening or the closing of a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PollAnswer {
    /// The poll with its votes so far; final ones when it is closed.
    #[serde(flatten)]
    pub view: PollView,
    /// The poll was open, or closed, before this request, which changed nothing.
    pub duplicate: bool,
}

/// Answer of `GET /v1/rooms/{room}/polls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PollList {
    /// The last polls of the room, newest first: 50 at most.
    pub polls: Vec<PollView>,
}

/// Votes of a running poll so far, as pulses carry them: totals, so that a lost pulse loses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PollCounts {
    /// Id of the poll.
    pub id: MessageId,
    /// Votes by option, in the order of the options.
    pub votes: Vec<u64>,
}

impl PollCounts {
    /// Returns the sum over all options.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.votes.iter().sum()
    }
}
