//! Requests to the uplink and their answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::placement::Placement;
use crate::{Class, MediaReference, MessageId, Sequence, TraceId, UserId};

/// Body of `POST /v1/rooms/{room}/messages`. Unknown fields are refused: a misspelt field must not
/// be ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Post {
    /// Danmaku that flies over the video; the server may drop it under load.
    Chat {
        /// Id of the message, chosen by the sender.
        id: MessageId,
        /// Text of 1 to 200 characters after cleaning; may be empty beside `media` or `sticker`.
        text: String,
        /// Appearance over the video; when absent: scrolling, white, of normal size.
        #[serde(default)]
        style: Style,
        /// Position of the message of the room to which this one replies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<Sequence>,
        /// Users whom the text addresses, at most 10, each once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(length(max = 10))]
        mentions: Vec<UserId>,
        /// Picture or sticker of the sender, where the room's rule `media_role_min` admits it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media: Option<MediaReference>,
        /// Id of a sticker of the room's set of emotes, or of the platform's; not beside `media`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,32}$"))]
        sticker: Option<String>,
    },
    /// Gift with its count; a price of 0 makes it a free one.
    Gift {
        /// Id of the message, chosen by the sender.
        id: MessageId,
        /// Name, count, price of one piece, and position in a combo.
        gift: Gift,
    },
    /// Paid message that stays on the screen.
    SuperChat {
        /// Id of the message, chosen by the sender.
        id: MessageId,
        /// Text of 1 to 200 characters after cleaning.
        text: String,
        /// Price in the smallest unit of the currency.
        amount_minor: u64,
        /// Currency as an ISO 4217 code, such as `CNY`.
        currency: String,
    },
    /// Likes, which are summed: viewers receive only their total.
    Like {
        /// Id of the message, chosen by the sender.
        id: MessageId,
        /// Number of likes in this post, 1 to 1,000.
        count: u32,
    },
    /// Reactions beside the like, out of the configured set; viewers receive only their total.
    Reaction {
        /// Id of the message, chosen by the sender.
        id: MessageId,
        /// Name of the reaction, one of `uplink.reactions`.
        name: String,
        /// Number of reactions in this post, 1 to 1,000.
        count: u32,
    },
}

impl Post {
    /// Makes a chat of normal appearance, which replies to nothing.
    pub fn chat(id: MessageId, text: impl Into<String>) -> Self {
        Post::styled_chat(id, text, Style::default())
    }

    /// Makes a chat with an appearance, which replies to nothing.
    pub fn styled_chat(id: MessageId, text: impl Into<String>, style: Style) -> Self {
        Post::Chat {
            id,
            text: text.into(),
            style,
            reply_to: None,
            mentions: Vec::new(),
            media: None,
            sticker: None,
        }
    }

    /// Returns the id that the sender chose.
    #[must_use]
    pub fn id(&self) -> &MessageId {
        match self {
            Post::Chat { id, .. }
            | Post::Gift { id, .. }
            | Post::SuperChat { id, .. }
            | Post::Like { id, .. }
            | Post::Reaction { id, .. } => id,
        }
    }

    /// Returns the class of the message: chat, gift, or pulse for likes and reactions.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Post::Chat { .. } => Class::Chat,
            Post::Gift { .. } | Post::SuperChat { .. } => Class::Gift,
            Post::Like { .. } | Post::Reaction { .. } => Class::Pulse,
        }
    }
}

/// Answer to `GET /v1/reactions`: the reactions that viewers may post beside the like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactionsAnswer {
    /// Names in the order of the configuration, at most 32.
    #[schemars(length(max = 32))]
    pub reactions: Vec<String>,
}

/// Appearance of a danmaku; a field that is absent has its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Style {
    /// Place and movement on the screen; scrolling by default.
    pub mode: Mode,
    /// Color as RGB, 0 to 16,777,215 (white, the default).
    pub color: u32,
    /// Size relative to the player's setting; normal by default.
    pub size: Size,
    /// Position and movement of a danmaku of the mode `placed`, which needs it; no other mode has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Placement>,
}

impl Default for Style {
    fn default() -> Self {
        Style { mode: Mode::Scroll, color: 0xff_ffff, size: Size::Normal, place: None }
    }
}

/// Place and movement of a danmaku over the video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The default: moves from right to left over the video.
    #[default]
    Scroll,
    /// Moves from left to right over the video.
    Reverse,
    /// Fixed at the top of the video until its time ends.
    Top,
    /// Fixed at the bottom of the video until its time ends.
    Bottom,
    /// At the position that the style's `place` has, with its movement.
    Placed,
}

/// Size of a danmaku, relative to the player's setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Three quarters of the size that the player sets.
    Small,
    /// The size that the player sets; the default.
    #[default]
    Normal,
    /// One and a half times the player's size.
    Large,
}

/// Gift as sent: name, count, price and combo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gift {
    /// Name of 1 to 40 characters after cleaning.
    pub name: String,
    /// Number of gifts in this post, 1 to 1,000,000.
    pub count: u32,
    /// Price of one piece in the smallest unit of the platform's coin.
    #[serde(default)]
    pub price_minor: u64,
    /// Position in a combo, from 1; absent outside of a combo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combo: Option<u32>,
}

/// Body of `POST /v1/rooms/{room}/packages`: all posts in order, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// 1 to 64 posts for one room; a like among them is refused.
    pub messages: Vec<Post>,
}

/// Result of an accepted post; a refused one has an [`ErrorBody`](crate::code::ErrorBody) instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All viewers of the room receive the message.
    Broadcast,
    /// Over the room's display quota, held by a rule, or in review: only the sender sees the message.
    Held,
    /// The id was posted before; `sequence` is the first message's.
    Duplicate,
}

impl Outcome {
    /// Returns the stable name on the wire and in metric labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Outcome::Broadcast => "broadcast",
            Outcome::Held => "held",
            Outcome::Duplicate => "duplicate",
        }
    }
}

/// Answer to one post: outcome and position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostAnswer {
    /// Result of the post: it decides who sees the message.
    pub outcome: Outcome,
    /// Position in the chain; absent for likes and for `held`, which have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Quota that a `held` message exceeded, or the kind of the rule that held it; absent for other
    /// outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<crate::code::LimitHit>,
    /// Review that decides about a `held` message: it may appear later, under its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<MessageId>,
    /// Trace of a sampled post, for support requests; absent for other posts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceId>,
    /// Vote that the text was, in a poll that counts chat; absent for other texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<crate::poll::VoteAnswer>,
}

/// Answers to all posts of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackageAnswer {
    /// Answers in the order of the posts.
    pub answers: Vec<PostAnswer>,
}

/// Part of a room's history, as the store returns it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct History {
    /// Messages, oldest first, without those that were recalled.
    pub messages: Vec<HistoryMessage>,
    /// Whether more messages exist beyond the limit, in the requested direction.
    pub more: bool,
}

/// The answer to `GET /v1/rooms/{room}/history`, of bounded size.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HistoryPage {
    /// Messages, oldest first; large ones make a page shorter than its limit.
    pub messages: Vec<HistoryMessage>,
    /// Whether more messages exist beyond this page, in the requested direction.
    pub more: bool,
    /// Query for the next page, when there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<HistoryNext>,
}

/// Parameter of the query for the next page; one of them is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryNext {
    /// Value of `after`, when the pages go on to newer messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Sequence>,
    /// Value of `before`, when the pages go back to older messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Sequence>,
    /// Value of `from_ms`, when the query is by offset into the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
}

/// One message of the history, with its offset into the stream.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HistoryMessage {
    /// Position in the room's chain; `after` and `before` refer to it.
    pub sequence: Sequence,
    /// Class of the message: signal, gift or chat.
    pub class: Class,
    /// Unix time in milliseconds at which the server accepted the message.
    pub at_ms: u64,
    /// Milliseconds from the start of the room's stream to the acceptance.
    pub offset_ms: u64,
    /// The body as it was broadcast, as raw JSON.
    #[schemars(with = "serde_json::Value")]
    pub body: Box<RawValue>,
}
