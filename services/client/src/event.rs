//! What a viewer tells its user.

use barrage_protocol::code::Advice;
use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{BatchMessage, Hello, RepairOutcome};
use serde_json::value::RawValue;

/// One thing that happened, in order.
#[derive(Debug)]
pub enum Event {
    /// The room is open (again, after a reconnect).
    Hello(Box<Hello>, Transport),
    /// A message of the room: each once, in chain order.
    Message(BatchMessage),
    /// The server left so many chat messages out here.
    LeftOut {
        /// How many.
        chat: u64,
    },
    /// Likes since the last pulse, and the online count when it changed.
    Pulse {
        /// Likes.
        likes: u64,
        /// Viewers that came in since the last pulse.
        entries: u64,
        /// Viewers.
        online: Option<u64>,
    },
    /// A message for this user alone; each once, acknowledged by itself.
    Notice(Box<RawValue>),
    /// A gap or a resume was answered.
    Repaired {
        /// How.
        outcome: RepairOutcome,
        /// Chat messages skipped.
        skipped: u64,
    },
    /// A gap could not be repaired in time; what lay in it is unknown.
    Lost,
    /// More want in than the servers admit: this viewer's turn comes after this wait, if
    /// it has one (by default a minute at most). Nothing is asked of the user.
    Waiting {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection ended; the next attempt comes after this wait.
    Reconnecting {
        /// Milliseconds.
        wait_ms: u64,
        /// The close code, if one came.
        code: Option<u16>,
    },
    /// It is over: the server said never to come back.
    Closed {
        /// The close code, if one came.
        code: Option<u16>,
        /// What the code advises.
        advice: Advice,
        /// The server's words.
        message: String,
    },
}
