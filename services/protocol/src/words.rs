//! The words of a room: rules that its host and moderators edit live.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a room's rule does with a text that has one of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WordAction {
    /// Replaces each found character by `*`.
    Mask,
    /// Refuses the post, with an error that the sender sees.
    Refuse,
    /// Shows the post to its sender alone.
    Hold,
    /// Lets the post wait for a moderator.
    Review,
}

/// One rule of a room: words with one action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WordRule {
    /// Name of the rule, unique in the room: 1 to 32 letters, digits, `_` or `-`.
    pub name: String,
    /// Words of the rule, in the form of the platform's lists: whole words, `*word` also inside of
    /// others. At most 2,000 in a room, each of at most 64 characters.
    pub words: Vec<String>,
    /// What the rule does with a text that has one of its words.
    pub action: WordAction,
    /// Whether hits are only counted. Default false.
    #[serde(default)]
    pub shadow: bool,
}

/// Body of `PUT /v1/rooms/{room}/words`: all rules of the room, in the order of the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WordsRequest {
    /// Version that the writer has read; refused when the room has another. Without it, the rules
    /// replace those of any version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// At most 16 rules. The first rule that refuses, holds or reviews a text decides.
    pub rules: Vec<WordRule>,
}

/// Answer to `GET` and `PUT /v1/rooms/{room}/words`: the rules in force, with their figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WordsAnswer {
    /// Version of the rules; grows by one with each change, and is 0 before the first.
    pub version: u64,
    /// The rules in the order of the search.
    pub rules: Vec<WordRule>,
    /// Figures of the rules at the uplink that answers, in the same order.
    pub figures: Vec<RuleFigures>,
}

/// What one rule did, or in shadow mode would have done, in the last ten minutes at one uplink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleFigures {
    /// Name of the rule.
    pub name: String,
    /// Texts that reached the rule.
    pub texts: u64,
    /// Texts among them that have one of its words.
    pub hits: u64,
    /// Share of the hits in percent, with one decimal.
    pub percent: f64,
    /// For people: `would have held 3.1 % in ten minutes`.
    pub summary: String,
}

/// Body of `POST /v1/rooms/{room}/words/test`: what the rules would do with a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WordsTestRequest {
    /// Text to test, at most 2,000 bytes.
    #[schemars(length(max = 2_000))]
    pub text: String,
    /// Rules to test instead of those of the room, before they are put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<WordRule>>,
}

/// Answer to a test: the outcome for the text, and every rule with a hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WordsTestAnswer {
    /// Action of the rule that decides; `mask` when rules only mask; absent when the text is shown
    /// unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<WordAction>,
    /// Text as viewers would see it, if it is shown.
    pub text: String,
    /// Rules with a hit, in the order of the search; rules in shadow mode too.
    pub hits: Vec<WordHit>,
}

/// A rule with a word in the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WordHit {
    /// Name of the rule.
    pub rule: String,
    /// Action of the rule.
    pub action: WordAction,
    /// Whether the rule only counts.
    pub shadow: bool,
    /// First part of the text that matched.
    pub matched: String,
}
