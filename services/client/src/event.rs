//! Events that a viewer delivers to its caller.

use barrage_protocol::Sequence;
use std::collections::BTreeMap;

use barrage_protocol::code::Advice;
use barrage_protocol::entry::Transport;
use barrage_protocol::event::CustomEvent;
use barrage_protocol::frame::{BatchMessage, Hello, RepairOutcome};
use barrage_protocol::poll::PollCounts;
use serde_json::value::RawValue;

use crate::inbox::InboxNews;

/// One event of a viewer. Events arrive in the order of the room's chain.
#[derive(Debug)]
pub enum Event {
    /// The viewer has joined the room, for the first time or after a reconnect.
    Hello(Box<Hello>, Transport),
    /// Message of the room. Each message is delivered once, in the order of the chain.
    Message(BatchMessage),
    /// Event of the customer's own servers, in the order of the chain like a message, and in place of
    /// one.
    Custom {
        /// Position of the event in the room's chain.
        sequence: Sequence,
        /// Type, id and data of the event.
        event: Box<CustomEvent>,
    },
    /// The server dropped chat messages before the next message.
    LeftOut {
        /// Number of chat messages that the server dropped.
        chat: u64,
    },
    /// Figures of the room: sums since the last pulse, and what has changed.
    Pulse {
        /// Likes of all users since the last pulse.
        likes: u64,
        /// Viewers that joined the room since the last pulse.
        entries: u64,
        /// Number of viewers online; `None` when it has not changed.
        online: Option<u64>,
        /// Reactions beside the like since the last pulse, by name.
        reactions: BTreeMap<String, u64>,
        /// Votes of the running poll so far; empty when they have not changed.
        polls: Vec<PollCounts>,
        /// Chat that viewers offered since the last pulse, while the room shows a sample of it; else 0.
        offered: u64,
        /// Chat out of `offered` that the room's quota let through.
        shown: u64,
    },
    /// Message for this user alone. Each notice is delivered once, and the client acknowledges it.
    Notice(Box<RawValue>),
    /// News of the user's inbox; only where the configuration has `inbox`.
    Inbox(InboxNews),
    /// The server answered a repair or a resume.
    Repaired {
        /// Outcome of the repair, as the server reported it.
        outcome: RepairOutcome,
        /// Number of chat messages that the repair skipped.
        skipped: u64,
    },
    /// A gap could not be repaired in time. Its messages are unknown.
    Lost,
    /// More viewers want to join than the servers admit: the slot of this viewer comes after this wait, by
    /// default within a minute. The client waits by itself.
    Waiting {
        /// Wait until the viewer's slot, in milliseconds.
        ms: u64,
    },
    /// The connection ended. The next attempt comes after this wait.
    Reconnecting {
        /// Wait until the next attempt, in milliseconds.
        wait_ms: u64,
        /// Close code, if the server sent one.
        code: Option<u16>,
    },
    /// The server closed for good. No further event follows.
    Closed {
        /// Close code, if the server sent one.
        code: Option<u16>,
        /// Advice on reconnecting that belongs to the close code.
        advice: Advice,
        /// Message of the server, for logs and developers.
        message: String,
    },
}
