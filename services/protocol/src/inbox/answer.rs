//! What users read: the list of conversations, and their items.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::group::GroupSettings;
use super::letter::LetterKind;
use super::member::{Folder, Notify, Preferences, Role};
use crate::{MessageId, Sequence, UserId};

/// Answer of `GET /v1/inbox`: what a device lacks. Without a change, `cursor`, `version` and `unread` alone.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct InboxAnswer {
    /// Opaque text for the next request. A device that stores it has everything up to here.
    pub cursor: String,
    /// Version of the inbox, which grows by 1 with each batch that changes it.
    pub version: u64,
    /// Unread items of all conversations that count.
    pub unread: u64,
    /// The device must forget what it has: the cursor continued nothing, or there was none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// Changed conversations, the one that changed last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<ConversationView>,
    /// Items that the user hid on another device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<PlaceView>,
    /// Letters of the user that were accepted and have no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undelivered: Vec<UndeliveredView>,
    /// There is more: ask again with the cursor at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Kind of a conversation, which its id shows, too: `d.` or `g.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// Letters between two users.
    Direct,
    /// Items for all members of a group.
    Group,
}

/// A conversation as its user sees it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConversationView {
    /// Id of the conversation.
    pub conversation: String,
    /// Kind that the id shows, too.
    pub kind: ConversationKind,
    /// The other user of a direct conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<UserId>,
    /// Title and rules of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupSettings>,
    /// Number of members of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
    /// Role of the user in a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Position of the newest item.
    pub head: u64,
    /// Time of the newest item in Unix milliseconds; 0 without one.
    pub at_ms: u64,
    /// Items that the user has not read.
    pub unread: u64,
    /// Position up to which the user has read.
    pub read: u64,
    /// Position up to which the other user has read, when both allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_read: Option<u64>,
    /// Folder that shows the conversation; `main` when absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub folder: Folder,
    /// What the user is notified of; `all` when absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify: Notify,
    /// The conversation is at the top of the list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// The user marked the conversation as unread.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marked: bool,
    /// The user reads items after this position.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after: u64,
    /// The user has left, and reads items up to this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// The group was deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Positions after `read` that mention the user, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<u64>,
    /// Newest items, oldest first; of the first conversations alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemView>,
}

/// An item of a conversation. Positions without an item are hidden from the user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ItemView {
    /// Position in the conversation: dense, from 1.
    pub position: u64,
    /// Sender of the item.
    pub sender: UserId,
    /// Time of acceptance in Unix milliseconds.
    pub at_ms: u64,
    /// Id that the sender chose; in items of the reader alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// Kind of the item; absent for one that recalls another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<LetterKind>,
    /// What the sender wrote; absent for a recall and a recalled item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub body: Option<Box<RawValue>>,
    /// Position of the item that this one recalls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recalls: Option<u64>,
    /// The item was recalled or erased: it keeps its position and count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
}

/// A place in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceView {
    /// Conversation of the place.
    pub conversation: String,
    /// Position in the conversation.
    pub position: u64,
}

/// A letter that was accepted and has no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndeliveredView {
    /// Conversation of the letter.
    pub conversation: String,
    /// Id that the sender chose.
    pub id: MessageId,
    /// Why the letter has no effect: a code, such as `blocked`.
    pub reason: String,
    /// Time of acceptance in Unix milliseconds.
    pub at_ms: u64,
}

/// Answer of `GET /v1/conversations/{conversation}/messages`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ItemsPage {
    /// Items of the page, the oldest first.
    pub items: Vec<ItemView>,
    /// Whether the user may read more items in the requested direction.
    pub more: bool,
}

/// Answer to a change of the inbox, which is durable by then, and has its effect a moment later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// Place in the lane: `at_least` of `GET /v1/inbox` waits for it.
    pub sequence: Sequence,
    /// Lane of the change.
    pub lane: u16,
}

/// Answer of `POST /v1/inbox/reads`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadsAnswer {
    /// Milliseconds within which the reads are written. A read is not durable before.
    pub within_ms: u64,
}

/// Answer of `GET /v1/conversations/{conversation}/read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadAnswer {
    /// Position up to which the user has read.
    pub read: u64,
    /// Position up to which the other user has read; absent in a group, and unless both users allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_read: Option<u64>,
}

/// Answer of `GET /v1/inbox/preferences`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreferencesAnswer {
    /// Rules that are in force now.
    pub preferences: Preferences,
    /// Users whom the user blocks, at most 1,000.
    pub blocked: Vec<UserId>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
