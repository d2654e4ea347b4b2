use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::SharedBatch;

/// Batches that an event stream may lag behind before it must repair.
const LAG_MAX: usize = 256;

/// Queue of batches for the event streams of a room. A stream that falls behind the queue repairs the gap.
///
/// The queue is there while a stream listens: it takes 9 KiB, and most rooms have WebSockets alone.
#[derive(Debug, Default)]
pub(crate) struct Fallback(Mutex<Option<broadcast::Sender<Arc<SharedBatch>>>>);

impl Fallback {
    /// Returns a stream's place in the queue: it gets the batches that are sent from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<SharedBatch>> {
        self.0.lock().get_or_insert_with(|| broadcast::Sender::new(LAG_MAX)).subscribe()
    }

    /// Queues a batch for the streams that listen. Frees the queue when none does any more.
    pub(crate) fn send(&self, batch: &Arc<SharedBatch>) {
        let mut queue = self.0.lock();
        let Some(sender) = &*queue else { return };
        if sender.send(Arc::clone(batch)).is_err() {
            *queue = None;
        }
    }

    #[cfg(test)]
    fn is_allocated(&self) -> bool {
        self.0.lock().is_some()
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Class;

    use super::*;
    use crate::room::batch_of;

    #[tokio::test]
    async fn queue_is_there_while_a_stream_listens() {
        let fallback = Fallback::default();
        let batch = |previous| batch_of(previous, &[Class::Chat]);
        fallback.send(&batch(0));
        assert!(!fallback.is_allocated(), "no stream listens");
        let (mut one, two) = (fallback.subscribe(), fallback.subscribe());
        fallback.send(&batch(1));
        drop(two);
        fallback.send(&batch(2));
        let sequences = [one.recv().await.unwrap().sequence.0, one.recv().await.unwrap().sequence.0];
        assert_eq!(sequences, [2, 3], "another stream's end takes nothing");
        drop(one);
        fallback.send(&batch(3));
        assert!(!fallback.is_allocated());
        let mut late = fallback.subscribe();
        fallback.send(&batch(4));
        assert_eq!(late.recv().await.unwrap().sequence.0, 5);
    }
}
