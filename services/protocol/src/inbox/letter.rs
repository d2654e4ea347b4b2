//! What users send: letters, places, reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MediaReference, MessageId, Sequence, UserId};

/// Maximum letters in one package.
pub const LETTERS_MAX: usize = 64;
/// Maximum read places in one request.
pub const READS_MAX: usize = 100;
/// Maximum number of mentions in one item.
pub const MENTIONS_MAX: usize = 20;
/// Maximum characters of the name of a file.
pub const FILE_NAME_CHARS_MAX: usize = 120;

/// Kind of what a sender writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterKind {
    /// A text of the sender.
    Text,
    /// A sticker by its id.
    Sticker,
    /// An image of the sender.
    Image,
    /// A file of the sender.
    File,
}

/// Body of `POST /v1/users/{user}/messages` and `POST /v1/conversations/{conversation}/messages`. Unknown
/// fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum LetterRequest {
    /// A text, which is cleaned and moderated.
    Text {
        /// Id that the sender chose, unique for the sender in the conversation for ever.
        id: MessageId,
        /// Text of the letter, cleaned as the text of a post.
        text: String,
        /// Position of the item in the same conversation that this one answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
        reply_to: Option<u64>,
        /// Members of the group whom the text mentions, at most 20.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(length(max = 20))]
        mentions: Vec<UserId>,
    },
    /// A sticker: one that the platform's pages draw, by its id, or a public picture.
    Sticker {
        /// Id that the sender chose, unique for the sender in the conversation for ever.
        id: MessageId,
        /// Id of the sticker, from which pages make a URL: `[A-Za-z0-9_.-]{1,64}`. Absent with `media`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{1,64}$"))]
        sticker: Option<String>,
        /// Reference to a public picture. Absent with `sticker`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media: Option<MediaReference>,
        /// Position of the item in the same conversation that this one answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
        reply_to: Option<u64>,
    },
    /// A picture, perhaps with a text.
    Image {
        /// Id that the sender chose, unique for the sender in the conversation for ever.
        id: MessageId,
        /// Reference to a picture of the sender, or to a public one.
        media: MediaReference,
        /// Text below the picture, cleaned as the text of a letter.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// Position of the item in the same conversation that this one answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
        reply_to: Option<u64>,
    },
    /// A clip, a sound or another file, perhaps with a text.
    File {
        /// Id that the sender chose, unique for the sender in the conversation for ever.
        id: MessageId,
        /// Reference to a medium of the sender.
        media: MediaReference,
        /// Name of the file as readers see it, at most 120 characters, cleaned and moderated as the text of a letter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_name: Option<String>,
        /// Text below the file, cleaned as the text of a letter.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// Position of the item in the same conversation that this one answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
        reply_to: Option<u64>,
    },
}

impl LetterRequest {
    /// Returns the id that the sender chose.
    #[must_use]
    pub const fn id(&self) -> &MessageId {
        match self {
            LetterRequest::Text { id, .. }
            | LetterRequest::Sticker { id, .. }
            | LetterRequest::Image { id, .. }
            | LetterRequest::File { id, .. } => id,
        }
    }

    /// Returns the kind of the letter.
    #[must_use]
    pub const fn kind(&self) -> LetterKind {
        match self {
            LetterRequest::Text { .. } => LetterKind::Text,
            LetterRequest::Sticker { .. } => LetterKind::Sticker,
            LetterRequest::Image { .. } => LetterKind::Image,
            LetterRequest::File { .. } => LetterKind::File,
        }
    }

    /// Returns the position that the letter answers.
    #[must_use]
    pub const fn reply_to(&self) -> Option<u64> {
        match self {
            LetterRequest::Text { reply_to, .. }
            | LetterRequest::Sticker { reply_to, .. }
            | LetterRequest::Image { reply_to, .. }
            | LetterRequest::File { reply_to, .. } => *reply_to,
        }
    }

    /// Returns the reference to the letter's medium.
    #[must_use]
    pub const fn media(&self) -> Option<&MediaReference> {
        match self {
            LetterRequest::Text { .. } => None,
            LetterRequest::Sticker { media, .. } => media.as_ref(),
            LetterRequest::Image { media, .. } | LetterRequest::File { media, .. } => Some(media),
        }
    }
}

/// Body of the routes of packages: letters for one conversation, accepted together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterPackage {
    /// Letters in their order, at most 64.
    #[schemars(length(min = 1, max = 64))]
    pub letters: Vec<LetterRequest>,
}

/// What became of a letter at the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterOutcome {
    /// The letter is durable.
    Accepted,
    /// The same letter was durable before.
    Duplicate,
}

/// Answer to a letter, which is durable by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetterAnswer {
    /// `accepted`, or `duplicate` when the letter was durable before.
    pub outcome: LetterOutcome,
    /// Place in the lane: `at_least` of `GET /v1/inbox` waits for it.
    pub sequence: Sequence,
    /// Lane of the conversation.
    pub lane: u16,
    /// Conversation of the letter.
    pub conversation: String,
}

/// Answer to a package, whose letters are durable by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetterPackageAnswer {
    /// Answers in the order of the letters.
    pub answers: Vec<LetterAnswer>,
}

/// Body of `POST /v1/reports`: a user of a conversation that the reporter may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterReportRequest {
    /// User who is reported.
    pub user: UserId,
    /// Conversation in which it happened.
    pub conversation: String,
    /// Position of the last item that is evidence; the newest one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub position: Option<u64>,
    /// What happened, 1 to 500 characters after cleaning.
    pub reason: String,
}

/// Answer to a report, which is durable by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetterReportAnswer {
    /// Id of the report.
    pub report: u64,
    /// The reporter has an open report about the user in the conversation; this one changed nothing.
    pub duplicate: bool,
}

/// Body of the routes that name one item: recall, hide, clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceRequest {
    /// Position of the item; for clear, of the last item that is cleared.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub position: u64,
}

/// A place up to which the user has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadPlace {
    /// Conversation of the place.
    pub conversation: String,
    /// Position of the last item that the user has read.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub position: u64,
}

/// Body of `POST /v1/inbox/reads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadsRequest {
    /// Places, at most 100; the greatest position of a conversation counts.
    #[schemars(length(min = 1, max = 100))]
    pub reads: Vec<ReadPlace>,
}
