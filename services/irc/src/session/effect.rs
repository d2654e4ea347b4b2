//! What a session wants done: the connection carries it out.

use barrage_protocol::action::Action;
use barrage_protocol::{MessageId, RoomId};

use super::command::Verb;
use crate::wire::ServerLine;

/// One thing to do, in the order of the list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Send a line to the client.
    Send(ServerLine),
    /// Start a viewer of a room.
    Join(RoomId),
    /// End the viewer of a room.
    Part(RoomId),
    /// Post a message or act in a room, after all work before.
    Work(Work),
    /// End the connection with an `ERROR` line.
    Close(CloseCause),
}

/// A post, or the actions of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) room: RoomId,
    /// Id of the post or of the first action; further actions add a suffix.
    pub(crate) id: MessageId,
    pub(crate) task: WorkTask,
}

/// Kind of the work, with all that its request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WorkTask {
    Chat { text: String },
    Act { verb: Verb, actions: Vec<Action>, reason: Option<String> },
}

/// Why a connection ends, as the client's `ERROR` line and a metric have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseCause {
    /// The client said `QUIT`, or closed its socket.
    Client,
    /// The token was refused.
    Login,
    /// The client did not log in in time.
    LoginTimeout,
    /// The client answered no `PING`.
    Silent,
    /// The client sent too many lines.
    Flood,
    /// The client sent a line that was too long.
    LongLine,
    /// The client reads more slowly than its rooms write.
    SlowReader,
    /// The process stops, and asks its clients to reconnect.
    Shutdown,
}

impl CloseCause {
    pub(crate) const ALL: [CloseCause; 8] = [
        CloseCause::Client,
        CloseCause::Login,
        CloseCause::LoginTimeout,
        CloseCause::Silent,
        CloseCause::Flood,
        CloseCause::LongLine,
        CloseCause::SlowReader,
        CloseCause::Shutdown,
    ];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            CloseCause::Client => "client",
            CloseCause::Login => "login",
            CloseCause::LoginTimeout => "login_timeout",
            CloseCause::Silent => "silent",
            CloseCause::Flood => "flood",
            CloseCause::LongLine => "long_line",
            CloseCause::SlowReader => "slow_reader",
            CloseCause::Shutdown => "shutdown",
        }
    }

    /// Text of the `ERROR` line.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            CloseCause::Client => "Closing link: client quit",
            CloseCause::Login => "Closing link: login authentication failed",
            CloseCause::LoginTimeout => "Closing link: no login in time",
            CloseCause::Silent => "Closing link: no answer to a PING",
            CloseCause::Flood => "Closing link: excess flood",
            CloseCause::LongLine => "Closing link: input line was too long",
            CloseCause::SlowReader => "Closing link: slow reader, the queue is full",
            CloseCause::Shutdown => "Closing link: the server stops; reconnect",
        }
    }
}
