//! Frames that tell an attached connection of changes of its user's inbox.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::UserId;
use crate::inbox::{ConversationView, GroupSettings, ItemView, PlaceView, UndeliveredView};

/// Answer to `attach`, and first frame of a connection for the inbox alone: from now on, mail comes on this connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attached {
    /// User whose mail comes.
    pub user: UserId,
    /// What a `hello` says on a connection with a room; absent on such a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<InboxConnection>,
}

/// A connection that is for the inbox alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InboxConnection {
    /// Id of the connection, for support requests.
    #[serde(rename = "id")]
    pub connection: String,
    /// Milliseconds after which an idle client sends a `ping`, as in a `hello`.
    pub ping_interval_ms: u64,
    /// Longest interval in milliseconds that a client may find out; absent where the interval is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_interval_ms_max: Option<u64>,
}

/// Changes of the user's inbox since a version. A client at `previous` takes them, and then is at `version`. A
/// client at another version asks `GET /v1/inbox`. Without both numbers the frame has items of groups alone, which
/// are in order by their positions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Mail {
    /// Version of the inbox before these changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// Version of the inbox after these changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Unread items of the direct conversations that count. Those of groups come on top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread_direct: Option<u64>,
    /// Changed conversations, each as in an answer of `GET /v1/inbox`, with the new items of a direct one, and the own
    /// ones of a group. `peer`, `peer_read` and `mentions` are absent where they are as before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<ConversationView>,
    /// Items that the user has hidden from itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<PlaceView>,
    /// Letters of the user that were accepted and have no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undelivered: Vec<UndeliveredView>,
    /// News of groups, without a version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupItems>,
}

/// News of one group, the same for all members.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GroupItems {
    /// Id of the group.
    pub conversation: String,
    /// New items, oldest first, without a position between them; there may be none.
    pub items: Vec<ItemView>,
    /// Title and rules of the group, where they have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupSettings>,
    /// The group was deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// Tells that the inbox has changed, without the changes: the client asks `GET /v1/inbox`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bell {
    /// Version of the inbox; a client that has it asks nothing. Absent where the server does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The client asks after a random part of so many milliseconds; absent for at once. Many clients are rung at once
    /// when mail was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread_ms: Option<u64>,
}
