//! Signals: messages of the platform to a room, of the class that is never dropped. Pure.

use barrage_bus::Draft;
use barrage_protocol::action::RoomRole;
use barrage_protocol::poll::{Poll, PollView};
use barrage_protocol::reaction::ReactionName;
use barrage_protocol::speak::SpeakRules;
use barrage_protocol::state::RoomState;
use barrage_protocol::{Class, MessageId, RoomId, Sequence, UserId};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// Id of the signal of an action. Under the same id the bus publishes one signal within its dedup
/// window, also when the uplink was killed before it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignalId {
    /// Unique by sender, room and action.
    pub(crate) id: MessageId,
    /// Hash of the action: another action under the same id is refused.
    pub(crate) fingerprint: u64,
}

/// A message of the platform to a room.
#[derive(Debug, Serialize)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub(crate) enum Signal<'a> {
    MuteAll {
        on: bool,
    },
    SlowMode {
        secs: u32,
    },
    ModerationDelay {
        secs: u32,
    },
    /// Other reactions from here on; the platform's set without names.
    Reactions {
        #[serde(skip_serializing_if = "Option::is_none")]
        names: Option<&'a [ReactionName]>,
    },
    /// A super chat on top was read, or is unread again.
    SuperChatRead {
        sequence: Sequence,
        on: bool,
    },
    Recall {
        sequence: Sequence,
    },
    Mute {
        user: &'a UserId,
        until_ms: u64,
    },
    Unmute {
        user: &'a UserId,
    },
    Kick {
        user: &'a UserId,
        until_ms: u64,
    },
    /// Hides what the user wrote before the position of this signal.
    Purge {
        user: &'a UserId,
    },
    /// Hides everything before the position of this signal.
    Clear {},
    Pin {
        sequence: Sequence,
        message: &'a Value,
    },
    Unpin {},
    Warn {
        user: &'a UserId,
        text: &'a str,
    },
    Role {
        user: &'a UserId,
        role: RoomRole,
    },
    /// The room is new, or open again after a close.
    Open {
        title: &'a str,
    },
    PollOpen {
        poll: &'a Poll,
        state: RoomState,
    },
    /// The result of a poll, which is final.
    PollClose {
        poll: &'a PollView,
        state: RoomState,
    },
    /// Rules for those who speak that are in force from here on, with the shield's.
    Speak {
        rules: SpeakRules,
        slow_mode_secs: u32,
        shield: bool,
    },
    /// The room has other emotes, which pages load again.
    Emotes {},
    Close,
    Announcement {
        text: &'a str,
    },
    /// Changes the room's state and does nothing else.
    State {},
}

/// Makes the draft of a signal: for all viewers, or for the devices of the user `to` alone. `state` is
/// what the signal changes of the room's state.
pub(crate) fn signal_draft(
    room: &RoomId,
    signal: &Signal<'_>,
    state: Option<&RoomState>,
    to: Option<UserId>,
) -> Draft {
    let body = body(signal, state);
    Draft {
        room: room.clone(),
        class: Class::Signal,
        sender: None,
        id: None,
        fingerprint: 0,
        to,
        trace: None,
        body,
    }
}

fn body(signal: &Signal<'_>, state: Option<&RoomState>) -> Bytes {
    #[derive(Serialize)]
    struct Typed<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        signal: &'a Signal<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<&'a RoomState>,
    }
    let body =
        serde_json::to_vec(&Typed { r#type: "signal", signal, state }).expect("signals are plain data");
    // Without the spare capacity: the bus keeps the body for as long as it can be repaired.
    body.into_boxed_slice().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_body_has_its_type_and_name() {
        let draft = signal_draft(&"r".parse().unwrap(), &Signal::SlowMode { secs: 5 }, None, None);
        assert_eq!(draft.class, Class::Signal);
        assert_eq!(&*draft.body, br#"{"type":"signal","signal":"slow_mode","secs":5}"#);
        let state = RoomState::default();
        let draft = signal_draft(&"r".parse().unwrap(), &Signal::State {}, Some(&state), None);
        assert_eq!(&*draft.body, br#"{"type":"signal","signal":"state","state":{}}"#);
    }
}
