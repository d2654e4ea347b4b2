//! One connection, whatever carries it: frames come in, a few go out.

use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{ClientFrame, Hello, ServerFrame};
use tokio::sync::mpsc;

/// Frames read ahead of the viewer; at the bound the socket is not read on.
pub(crate) const INCOMING_MAX: usize = 64;
/// Frames waiting to be written; beyond, heartbeats and repairs are not sent (the
/// connection stands still then, and its end is near).
pub(crate) const OUTGOING_MAX: usize = 32;

/// What a connection brings.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A frame.
    Frame(ServerFrame),
    /// A sign of life without a frame.
    Alive,
    /// It has ended.
    Closed {
        /// The close code, if one came.
        code: Option<u16>,
        /// The server's words.
        message: String,
    },
}

/// An open connection whose hello has come.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) transport: Transport,
    pub(crate) hello: Hello,
    pub(crate) incoming: mpsc::Receiver<Incoming>,
    pub(crate) outgoing: mpsc::Sender<ClientFrame>,
    /// The tasks behind it; they end when this is dropped.
    pub(crate) _tasks: Tasks,
}

/// A connection being opened; giving it up ends the attempt.
#[derive(Debug)]
pub(crate) struct Opening(tokio::task::JoinHandle<Option<Link>>);

impl Opening {
    pub(crate) fn spawn(opening: impl Future<Output = Option<Link>> + Send + 'static) -> Self {
        Opening(tokio::spawn(opening))
    }

    /// Cancel-safe.
    pub(crate) async fn opened(&mut self) -> Option<Link> {
        (&mut self.0).await.ok().flatten()
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tasks that end with their owner.
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
