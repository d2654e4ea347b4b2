//! A thread that owns one connection and runs calls on it in their order.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::inbox::error::InboxError;

/// Calls that wait for the thread; further ones wait for a place.
const CALLS_MAX: usize = 64;

type Call = Box<dyn FnOnce(&mut Connection) + Send>;

/// The thread's queue. The thread ends with the last clone.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    calls: mpsc::Sender<Call>,
}

impl Worker {
    /// Starts a thread for a connection.
    pub(super) fn start(name: &str, mut connection: Connection) -> std::io::Result<Self> {
        let (calls, mut queue) = mpsc::channel::<Call>(CALLS_MAX);
        let run = move || {
            while let Some(call) = queue.blocking_recv() {
                call(&mut connection);
            }
        };
        std::thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Worker { calls })
    }

    /// Runs a call on the thread, and returns its result.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Connection) -> Result<T, InboxError> + Send + 'static,
    ) -> Result<T, InboxError> {
        let (reply, answer) = oneshot::channel();
        let call: Call = Box::new(move |connection| {
            // A caller that has gone needs no answer; what was written stays.
            drop(reply.send(call(connection)));
        });
        let closed = || InboxError::Query("the inbox is closed".into());
        self.calls.send(call).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}
