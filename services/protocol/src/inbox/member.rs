//! How a user sees a conversation, and who may write to a user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Folder that shows a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Folder {
    /// The list that counts.
    #[default]
    Main,
    /// Letters of strangers until the receiver answers or accepts.
    Request,
    /// Conversations that the user has put away.
    Archived,
}

/// What a user is notified of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// Every item; the conversation counts in the total.
    #[default]
    All,
    /// Items that mention the user.
    Mention,
    /// No item at all.
    None,
}

/// Role in a group, from the least rights to the most.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Removed, and may not join again.
    Banned,
    /// Asked to join, and waits.
    Applicant,
    /// Reads, and may not send.
    Muted,
    /// Reads and sends items.
    #[default]
    Member,
    /// Removes members, recalls items, and admits applicants.
    Moderator,
    /// Everything; a group has one owner.
    Owner,
}

/// Body of `PATCH /v1/conversations/{conversation}`: changes of the user's view; an absent field stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Folder that shows the conversation. Out of `request` accepts the sender; nothing leads into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Folder>,
    /// What the user is notified of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// Whether the conversation is at the top of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// Whether the conversation looks unread; the law does not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked: Option<bool>,
}

/// Rules of a user for letters, the body of `PUT /v1/inbox/preferences`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// Who may begin a conversation with the user.
    #[serde(default)]
    pub policy: WritePolicy,
    /// Whether the user shows how far it has read, and sees it of others.
    #[serde(default)]
    pub receipts: Receipts,
}

/// Rule for letters of users to whom the receiver has not written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WritePolicy {
    /// Letters of strangers come to the main folder.
    Everyone,
    /// Letters of strangers wait in the folder of requests.
    #[default]
    Requests,
    /// Letters of strangers are refused.
    Known,
}

/// Whether a user takes part in read receipts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Receipts {
    /// Peers see how far the user has read, when they take part too.
    #[default]
    Shown,
    /// No peer sees it.
    Hidden,
}
