//! Queries of the routes that read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::UserId;

/// Query of `GET /v1/inbox`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InboxQuery {
    /// Cursor of the last answer that the device has stored; without it, the answer is for a new device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Conversations in the answer, 1 to 300; 100 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 300))]
    pub limit: Option<usize>,
    /// Conversations whose newest items are in the answer, 0 to 50; 20 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 50))]
    pub top: Option<usize>,
    /// Newest items of each of them, 0 to 50; 20 when absent. `top` times `items` is at most 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 50))]
    pub items: Option<usize>,
    /// Position of a lane that the answer has: the answer waits for it for two seconds at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u64>,
    /// Lane of `at_least`; 0 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<u16>,
    /// Seconds to wait for a change, 0 to 30; 0 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 30))]
    pub wait_secs: Option<u64>,
}

/// Query of `GET /v1/conversations/{conversation}/messages`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemsQuery {
    /// Items behind this position, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Items before this position. Without any position: the newest items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Items of a page, 1 to 200; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<usize>,
}

/// Query of `GET /v1/groups/{group}/members`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MembersQuery {
    /// Members behind this user; `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<UserId>,
}
