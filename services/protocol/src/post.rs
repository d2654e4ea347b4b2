//! Uplink requests and their answers.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Class, MessageId, Sequence};

/// `POST /v1/rooms/{room}/messages`. Unknown fields are refused, so that a
/// misspelt one is not lost in silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Post {
    /// A danmaku.
    Chat {
        /// The sender's id of it.
        id: MessageId,
        /// 1 to 200 characters after cleaning.
        text: String,
        /// How it flies.
        #[serde(default)]
        style: Style,
    },
    /// A gift.
    Gift {
        /// The sender's id of it.
        id: MessageId,
        /// What and how many.
        gift: Gift,
    },
    /// A paid message that stays.
    SuperChat {
        /// The sender's id of it.
        id: MessageId,
        /// 1 to 200 characters after cleaning.
        text: String,
        /// Price in the currency's smallest unit.
        amount_minor: u64,
        /// ISO 4217 code.
        currency: String,
    },
    /// Likes; only their sum travels.
    Like {
        /// The sender's id of it.
        id: MessageId,
        /// 1 to 1,000.
        count: u32,
    },
}

impl Post {
    /// The sender's id of the message.
    #[must_use]
    pub fn id(&self) -> &MessageId {
        match self {
            Post::Chat { id, .. }
            | Post::Gift { id, .. }
            | Post::SuperChat { id, .. }
            | Post::Like { id, .. } => id,
        }
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Post::Chat { .. } => Class::Chat,
            Post::Gift { .. } | Post::SuperChat { .. } => Class::Gift,
            Post::Like { .. } => Class::Pulse,
        }
    }
}

/// How a danmaku flies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Style {
    /// Where.
    pub mode: Mode,
    /// RGB, 0 to 16,777,215.
    pub color: u32,
    /// How large.
    pub size: Size,
}

impl Default for Style {
    fn default() -> Self {
        Style { mode: Mode::Scroll, color: 0xff_ffff, size: Size::Normal }
    }
}

/// Where a danmaku flies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// From right to left.
    #[default]
    Scroll,
    /// Stands at the top.
    Top,
    /// Stands at the bottom.
    Bottom,
}

/// How large a danmaku is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Three quarters.
    Small,
    /// The player's own.
    #[default]
    Normal,
    /// Half as large again.
    Large,
}

/// A gift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gift {
    /// Its name, 1 to 40 characters after cleaning.
    pub name: String,
    /// 1 to 1,000,000.
    pub count: u32,
    /// Price of one in the smallest unit of the platform's coin.
    #[serde(default)]
    pub price_minor: u64,
    /// Position in a combo: 1 for the first; absent outside a combo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combo: Option<u32>,
}

/// `POST /v1/rooms/{room}/packages`: all of them in order, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// 1 to 64 posts; likes are not taken here.
    pub messages: Vec<Post>,
}

/// What became of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every viewer of the room gets it.
    Broadcast,
    /// Over the room's display quota: the sender alone sees it.
    Held,
    /// This id was posted before; the first one's sequence stands beside it.
    Duplicate,
}

impl Outcome {
    /// Stable name, on the wire and as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Outcome::Broadcast => "broadcast",
            Outcome::Held => "held",
            Outcome::Duplicate => "duplicate",
        }
    }
}

/// The answer to a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostAnswer {
    /// What became of it.
    pub outcome: Outcome,
    /// Its position; absent for likes and for `held`, which have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// The quota that a `held` message was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<crate::code::LimitHit>,
}

/// The answer to a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageAnswer {
    /// One answer per post, in order.
    pub answers: Vec<PostAnswer>,
}

/// A stretch of a room's history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct History {
    /// In chain order, oldest first.
    pub messages: Vec<HistoryMessage>,
    /// Whether more lies beyond the limit, in the direction asked.
    pub more: bool,
}

/// The answer to `GET /v1/rooms/{room}/history`, of bounded size.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryPage {
    /// In chain order, oldest first.
    pub messages: Vec<HistoryMessage>,
    /// Whether more lies beyond this page, in the direction asked.
    pub more: bool,
    /// The query that goes on, when there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<HistoryNext>,
}

/// Where a history goes on: one of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryNext {
    /// Value of `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Sequence>,
    /// Value of `before`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Sequence>,
    /// Value of `from_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
}

/// One kept message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryMessage {
    /// Position.
    pub sequence: Sequence,
    /// Class.
    pub class: Class,
    /// Unix time of acceptance, in milliseconds.
    pub at_ms: u64,
    /// Milliseconds since the room's stream began.
    pub offset_ms: u64,
    /// The body as it was broadcast.
    pub body: Box<RawValue>,
}
