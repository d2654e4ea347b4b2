//! Groups: settings, members, requests and answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::member::Role;
use crate::{RoomId, UserId};

/// Title and rules of a group, the body of `POST /v1/groups` and `PATCH /v1/groups/{group}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    /// Title that members see, 1 to 60 characters after cleaning.
    #[serde(default)]
    pub title: String,
    /// Room that the group belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// Who may join the group.
    #[serde(default)]
    pub join: JoinPolicy,
    /// What a new member may read.
    #[serde(default)]
    pub history: HistoryPolicy,
    /// Seconds that a member waits between two items, 0 to 3,600; the uplink enforces them.
    #[serde(default)]
    #[schemars(range(max = 3_600))]
    pub slow_mode_secs: u32,
}

/// Who may join a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinPolicy {
    /// Everybody whom no ban excludes.
    #[default]
    Open,
    /// Those whom a moderator admits.
    Ask,
    /// Those whose token has a badge named as the group's room.
    Badge,
}

/// What a new member of a group may read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryPolicy {
    /// Items from after the join.
    #[default]
    SinceJoin,
    /// All items that the store keeps.
    All,
}

/// Body of `PATCH /v1/groups/{group}`: an absent field stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// New title, 1 to 60 characters after cleaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// New rule for joining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<JoinPolicy>,
    /// New rule for what members who join later may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryPolicy>,
    /// New wait between two items of a member, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 3_600))]
    pub slow_mode_secs: Option<u32>,
}

/// A group as a user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupView {
    /// Conversation of the group.
    pub conversation: String,
    /// Title and rules of the group.
    pub settings: GroupSettings,
    /// Number of present members, at most 10,000.
    pub members: u32,
    /// Role of the user who asks; absent for one who is not, and never was, in the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether the user who asks is a member now.
    pub joined: bool,
}

/// Answer to a change of a group, which is durable by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupAnswer {
    /// Conversation of the group.
    pub conversation: String,
    /// Whether the change had its effect before this answer. If not, it waits in the lane.
    pub in_force: bool,
    /// The group afterwards; absent while the change waits, and for a group that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupView>,
}

/// Body of `PUT /v1/groups/{group}/members/{user}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    /// Role of the member from now on; `banned` removes the member.
    pub role: Role,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// User in the group.
    pub user: UserId,
    /// Role of the user.
    pub role: Role,
}

/// Answer of `GET /v1/groups/{group}/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MembersPage {
    /// Present members in the order of their ids; for moderators, applicants and banned users as well.
    pub members: Vec<MemberView>,
    /// Value of `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UserId>,
}
