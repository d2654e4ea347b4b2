//! The receiving side of mail, for both engines.

use std::fmt;
use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

/// Receives news or announcements. Bounded: what comes while it is full is dropped.
pub struct MailReceiver<T>(Inner<T>);

enum Inner<T> {
    Local(mpsc::Receiver<T>),
    Remote(Pin<Box<dyn Stream<Item = Option<T>> + Send>>),
}

impl<T> MailReceiver<T> {
    pub(crate) fn local(queue: mpsc::Receiver<T>) -> Self {
        MailReceiver(Inner::Local(queue))
    }

    /// Receives what a stream decodes; `None` in the stream is a message that cannot be read.
    pub(crate) fn remote(stream: impl Stream<Item = Option<T>> + Send + 'static) -> Self {
        MailReceiver(Inner::Remote(Box::pin(stream)))
    }

    /// Waits for the next value; `None` when the engine has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Inner::Local(queue) => queue.recv().await,
            Inner::Remote(stream) => loop {
                match stream.next().await? {
                    Some(value) => return Some(value),
                    None => tracing::warn!("mail that this version cannot read is skipped"),
                }
            },
        }
    }
}

impl<T> fmt::Debug for MailReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailReceiver")
    }
}
