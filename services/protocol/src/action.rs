//! Actions of moderators and hosts in a room, and their answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attribute::AttributeRule;
use crate::reaction::ReactionName;
use crate::speak::SpeakRule;
use crate::{MessageId, Sequence, UserId};

/// Maximum seconds of [`Action::ModerationDelay`].
pub const MODERATION_DELAY_SECS_MAX: u32 = 10;

/// Body of `POST /v1/rooms/{room}/actions`: one action, under an id that its sender chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// Id of the action, unique within its sender and room; the same id again repeats nothing.
    pub id: MessageId,
    /// What to do, and to whom.
    pub action: Action,
    /// Why, for the audit log alone: at most 1,000 bytes. No viewer sees the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_000))]
    pub reason: Option<String>,
}

/// One action on a room or on a user of it. Unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Hides one message from every viewer and from the history.
    Recall {
        /// Position of the message in the room's chain.
        sequence: Sequence,
    },
    /// Hides all messages that a user wrote in the room so far.
    Purge {
        /// User whose messages disappear; later messages are shown.
        user: UserId,
    },
    /// Hides all messages of the room so far.
    Clear {},
    /// Forbids a user to post for a time.
    Mute {
        /// User who may not post.
        user: UserId,
        /// Length in seconds from now, 1 to 315,360,000 (ten years).
        #[schemars(range(min = 1, max = 315_360_000))]
        secs: u64,
    },
    /// Ends a mute before its time.
    Unmute {
        /// User who may post again.
        user: UserId,
    },
    /// Removes a user, who may come back after a minute.
    Kick {
        /// User whose connections are closed.
        user: UserId,
    },
    /// Removes a user and keeps the user out for a time.
    Ban {
        /// User whose connections are closed and refused.
        user: UserId,
        /// Length in seconds from now, 1 to 315,360,000 (ten years).
        #[schemars(range(min = 1, max = 315_360_000))]
        secs: u64,
    },
    /// Ends a kick or a ban before its time.
    Unban {
        /// User who may come back.
        user: UserId,
    },
    /// Sets the pause between two chats of one viewer.
    SlowMode {
        /// Seconds of the pause, 0 (off) to 3,600.
        #[schemars(range(max = 3_600))]
        secs: u32,
    },
    /// Lets only the host and moderators post, or ends that.
    MuteAll {
        /// Whether viewers are muted from now on.
        on: bool,
    },
    /// Pins a message of the room; it replaces the one that was pinned before.
    Pin {
        /// Position of the message in the room's chain.
        sequence: Sequence,
    },
    /// Removes the pinned message; no error when there is none.
    Unpin {},
    /// Announces a text to the room.
    Announce {
        /// Text of 1 to 200 characters after cleaning.
        text: String,
    },
    /// Warns one user, who alone sees the text.
    Warn {
        /// User whose devices get the warning.
        user: UserId,
        /// Text of 1 to 200 characters after cleaning.
        text: String,
    },
    /// Gives a user a role in this room; the user needs no new token.
    Role {
        /// User who gets the role.
        user: UserId,
        /// Role from now on; `viewer` takes the room's role back.
        role: RoomRole,
    },
    /// Sets who may write which attributes of the room; it replaces all rules. Needs a host.
    AttributeRules {
        /// At most 16 rules; the longest prefix of a key counts, and without one moderators may write.
        #[schemars(length(max = 16))]
        rules: Vec<AttributeRule>,
    },
    /// Changes one rule of who may speak in the room.
    Speak {
        /// The rule with its new value.
        rule: SpeakRule,
    },
    /// Raises the shield: the stored bundle of rules is in force beside those of the room. Lowered, it
    /// leaves the room as it was set.
    Shield {
        /// Whether the shield is up from now on.
        on: bool,
    },
    /// Stores the bundle of rules that the shield applies.
    ShieldBundle {
        /// Rules of the shield from now on, at most 16; those that are absent are off.
        #[schemars(length(max = 16))]
        rules: Vec<SpeakRule>,
        /// Seconds between two chats of one viewer while the shield is up, 0 (off) to 3,600.
        #[serde(default)]
        #[schemars(range(max = 3_600))]
        slow_mode_secs: u32,
    },
    /// Sets the time by which viewers get the room's messages later than moderators do. A message that is
    /// hidden meanwhile never reaches viewers.
    ModerationDelay {
        /// Seconds of the delay, 0 (off) to 10.
        #[schemars(range(max = 10))]
        secs: u32,
    },
    /// Sets the reactions beside the like that the room offers.
    Reactions {
        /// Names in the order of the buttons, at most 12, each once; none for no reactions. Without the field the
        /// room has the platform's set again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 12))]
        names: Option<Vec<ReactionName>>,
    },
    /// Hides a message with a picture, and removes the picture everywhere: no room, letter or group shows it, no address of it
    /// works, and it cannot be uploaded again. Not for public media, which admins remove.
    RemoveMedia {
        /// Position of the message in the room's chain.
        sequence: Sequence,
    },
    /// Marks a super chat on top as read by the host, or takes the mark back.
    SuperChatRead {
        /// Position of the super chat in the room's chain.
        sequence: Sequence,
        /// Whether it is read from now on.
        on: bool,
    },
}

impl Action {
    /// Returns the stable name on the wire, in the audit log and in metric labels.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Action::Recall { .. } => "recall",
            Action::Purge { .. } => "purge",
            Action::Clear {} => "clear",
            Action::Mute { .. } => "mute",
            Action::Unmute { .. } => "unmute",
            Action::Kick { .. } => "kick",
            Action::Ban { .. } => "ban",
            Action::Unban { .. } => "unban",
            Action::SlowMode { .. } => "slow_mode",
            Action::MuteAll { .. } => "mute_all",
            Action::Pin { .. } => "pin",
            Action::Unpin {} => "unpin",
            Action::Announce { .. } => "announce",
            Action::Warn { .. } => "warn",
            Action::Role { .. } => "role",
            Action::AttributeRules { .. } => "attribute_rules",
            Action::Speak { .. } => "speak",
            Action::Shield { .. } => "shield",
            Action::ShieldBundle { .. } => "shield_bundle",
            Action::ModerationDelay { .. } => "moderation_delay",
            Action::Reactions { .. } => "reactions",
            Action::RemoveMedia { .. } => "remove_media",
            Action::SuperChatRead { .. } => "super_chat_read",
        }
    }

    /// Returns the user that the action names; `None` for an action on the room or on a message.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Action::Purge { user }
            | Action::Mute { user, .. }
            | Action::Unmute { user }
            | Action::Kick { user }
            | Action::Ban { user, .. }
            | Action::Unban { user }
            | Action::Warn { user, .. }
            | Action::Role { user, .. } => Some(user),
            Action::Recall { .. }
            | Action::Clear {}
            | Action::SlowMode { .. }
            | Action::MuteAll { .. }
            | Action::Pin { .. }
            | Action::Unpin {}
            | Action::Announce { .. }
            | Action::AttributeRules { .. }
            | Action::Speak { .. }
            | Action::Shield { .. }
            | Action::ShieldBundle { .. }
            | Action::ModerationDelay { .. }
            | Action::Reactions { .. }
            | Action::RemoveMedia { .. }
            | Action::SuperChatRead { .. } => None,
        }
    }
}

/// Role that a room gives to a user, beside the role of the user's token; the greater one counts.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RoomRole {
    /// No role beside that of the token.
    #[default]
    Viewer,
    /// May moderate this room.
    Moderator,
    /// May moderate this room, also its moderators, and give the role moderator.
    Host,
}

/// Body of `PUT /v1/rooms/{room}/roles/{user}`: the action `role` for the user in the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRequest {
    /// Id of the action, unique within its sender and room; the same id again repeats nothing.
    pub id: MessageId,
    /// Role from now on; `viewer` takes the room's role back.
    pub role: RoomRole,
    /// Why, for the audit log alone: at most 1,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_000))]
    pub reason: Option<String>,
}

/// Answer to `GET /v1/rooms/{room}/roles`: the roles that the room gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolesAnswer {
    /// Users with a role, in the order of their ids; at most 100.
    pub roles: Vec<GivenRole>,
}

/// A user's role that the room gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GivenRole {
    /// User with the role.
    pub user: UserId,
    /// Role in this room, beside that of the user's token.
    pub role: RoomRole,
}

/// Answer to an action, which is durable and in force by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionAnswer {
    /// Id of the request, as its sender chose it.
    pub id: MessageId,
    /// Position of the signal in the room's chain; absent when the room gets no signal: for an
    /// unban, and for signals to one user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// End of the mute, kick or ban in Unix milliseconds; a later end that was set before stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// The room has this action already, and the server changed nothing.
    pub duplicate: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_refuse_unknown_fields_also_without_fields_of_their_own() {
        for bad in [
            r#"{"type":"clear","user":"u"}"#,
            r#"{"type":"unpin","sequence":1}"#,
            r#"{"type":"mute","user":"u"}"#,
            r#"{"type":"kick","user":"u","secs":5}"#,
            r#"{"type":"mute","user":"a b","secs":5}"#,
            r#"{"type":"role","user":"u","role":"admin"}"#,
            r#"{"type":"close"}"#,
            r#"{"type":"reactions","name":["fire"]}"#,
            r#"{"type":"reactions","names":["Fire"]}"#,
        ] {
            assert!(serde_json::from_str::<Action>(bad).is_err(), "{bad}");
        }
        let kick: Action = serde_json::from_str(r#"{"type":"kick","user":"u"}"#).unwrap();
        assert_eq!((kick.label(), kick.user().map(UserId::as_str)), ("kick", Some("u")));
    }
}
