//! Queue of what goes to the client, bounded in bytes and in items.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// Items that wait at most; the bound in bytes comes first for lines of usual length.
const ITEMS_MAX: usize = 4_096;

/// Work of the task that writes to the socket.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A line with its end.
    Line(String),
    /// The answer to a WebSocket ping, with its payload.
    Pong(Vec<u8>),
}

impl Outgoing {
    fn bytes(&self) -> usize {
        match self {
            Outgoing::Line(line) => line.len(),
            Outgoing::Pong(payload) => payload.len(),
        }
    }
}

/// The queue has no place: the client reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// Sending end of the queue.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    items: mpsc::Sender<Outgoing>,
    queued: Arc<AtomicUsize>,
    bytes_max: usize,
}

/// Receiving end of the queue.
#[derive(Debug)]
pub(super) struct OutboxReader {
    items: mpsc::Receiver<Outgoing>,
    queued: Arc<AtomicUsize>,
}

impl Outbox {
    pub(super) fn new(bytes_max: usize) -> (Outbox, OutboxReader) {
        let (sender, receiver) = mpsc::channel(ITEMS_MAX);
        let queued = Arc::new(AtomicUsize::new(0));
        let reader = OutboxReader { items: receiver, queued: Arc::clone(&queued) };
        (Outbox { items: sender, queued, bytes_max }, reader)
    }

    /// Adds an item. What goes to a writer that has ended is dropped.
    pub(super) fn push(&self, item: Outgoing) -> Result<(), Full> {
        let bytes = item.bytes();
        if self.queued.fetch_add(bytes, Ordering::Relaxed) + bytes > self.bytes_max {
            return Err(Full);
        }
        match self.items.try_send(item) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Full),
        }
    }
}

impl OutboxReader {
    /// Returns the next item; `None` once all senders are gone. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Outgoing> {
        let item = self.items.recv().await;
        self.taken(item)
    }

    /// Returns an item that waits already.
    pub(super) fn try_next(&mut self) -> Option<Outgoing> {
        let item = self.items.try_recv().ok();
        self.taken(item)
    }

    fn taken(&self, item: Option<Outgoing>) -> Option<Outgoing> {
        item.inspect(|item| {
            self.queued.fetch_sub(item.bytes(), Ordering::Relaxed);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_is_bounded_in_bytes_and_frees_what_is_read() {
        let (outbox, mut reader) = Outbox::new(10);
        let line = || Outgoing::Line("12345".into());
        assert_eq!(outbox.push(line()), Ok(()));
        assert_eq!(outbox.push(line()), Ok(()));
        assert_eq!(outbox.push(line()), Err(Full));
        let (outbox, mut again) = (Outbox::new(10).0, std::mem::replace(&mut reader, Outbox::new(1).1));
        drop(outbox);
        assert!(again.try_next().is_some() && again.try_next().is_some() && again.try_next().is_none());
    }
}
