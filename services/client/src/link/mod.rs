//! One connection over any transport: frames come in, and a few go out.

pub(crate) mod poll;
pub(crate) mod sse;
pub(crate) mod ws;

use barrage_protocol::Sequence;
use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{ClientFrame, Hello, ServerFrame};
use tokio::sync::mpsc;

use crate::ladder::{EndCause, LadderEvent};

/// Frames read ahead of the viewer. At the bound the client stops reading.
pub(crate) const INCOMING_MAX: usize = 64;
/// Frames that wait to be written. Beyond, heartbeats and repairs are dropped: the connection does not
/// move and will soon be given up.
pub(crate) const OUTGOING_MAX: usize = 32;

/// Parameters of a join that all endpoints of one connect share.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct JoinRequest<'a> {
    /// Position to resume after; `None` for a first join.
    pub(crate) after: Option<Sequence>,
    /// Ticket of entry, for the URL of a stream.
    pub(crate) ticket: Option<&'a str>,
}

/// Item that a connection delivers to its viewer, in order.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A frame of the server, parsed from its JSON.
    Frame(ServerFrame),
    /// Sign of life without a frame, such as a pong; it resets the silence timer.
    Alive,
    /// End of the connection; nothing follows on the channel.
    Closed {
        /// Close code, if the server sent one.
        code: Option<u16>,
        /// Whether the server gave a reason.
        cause: EndCause,
        /// Message of the server, or the cause of the failure.
        message: String,
    },
}

/// Open connection that has received its hello, over any transport.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) transport: Transport,
    pub(crate) hello: Hello,
    pub(crate) incoming: mpsc::Receiver<Incoming>,
    pub(crate) outgoing: mpsc::Sender<ClientFrame>,
    /// Tasks of the connection; aborted on drop.
    pub(crate) _tasks: Tasks,
}

/// Result of attempts to open a connection, with their events for the ladder.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// `None` when no attempt succeeded.
    pub(crate) link: Option<Link>,
    pub(crate) events: Vec<(u64, LadderEvent<Transport>)>,
}

/// Attempt to open a connection; aborted on drop.
#[derive(Debug)]
pub(crate) struct Opening(tokio::task::JoinHandle<Opened>);

impl Opening {
    pub(crate) fn spawn(opening: impl Future<Output = Opened> + Send + 'static) -> Self {
        Opening(tokio::spawn(opening))
    }

    /// Waits for the end of the attempt. Cancel-safe.
    pub(crate) async fn opened(&mut self) -> Opened {
        (&mut self.0).await.unwrap_or_default()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tasks that are aborted when their owner is dropped.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Vec<tokio::task::AbortHandle>);

impl Tasks {
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task).abort_handle());
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl Link {
    /// Queues a frame for the server. A full queue drops the frame.
    pub(crate) fn send(&self, frame: ClientFrame) {
        if self.outgoing.try_send(frame).is_err() {
            tracing::debug!("a frame is dropped because the connection does not move");
        }
    }
}
