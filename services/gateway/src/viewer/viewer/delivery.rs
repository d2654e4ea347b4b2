//! The inner step of the fan-out: a batch to one viewer.

use std::io::ErrorKind;
use std::sync::Arc;

use barrage_protocol::{Code, Sequence};
use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::Viewer;
use crate::config::GatewayConfig;
use crate::room::{SharedBatch, Tally};
use crate::viewer::close_frames::CLOSE_BYTES;
use crate::viewer::held_batches::Offered;

impl Viewer {
    /// Delivers a batch: writes it to the socket, and queues the bytes that the kernel does not take.
    /// This is the inner step of the fan-out.
    pub(crate) fn deliver(&self, batch: &Arc<SharedBatch>, config: &GatewayConfig, tally: &mut Tally) {
        let is_clear = self.marks.is_clear();
        debug_assert!(!is_clear || (self.outbox.borrow().is_empty() && !self.held.is_on()));
        if !is_clear {
            match self.held.offer(batch) {
                Offered::Passed => {}
                Offered::Held => return,
                Offered::TooMany => return self.close_as_slow(),
            }
        }
        let is_news = batch.sequence > self.position.get() || batch.is_beside_the_chain();
        if self.closing.get().is_some() || !is_news {
            return;
        }
        let position = self.position.replace(batch.sequence.max(self.position.get()));
        tally.viewers += 1;
        #[cfg(test)]
        if !batch.messages.is_empty() && crate::viewer::defect::take() {
            return;
        }
        if is_clear {
            self.write_batch(batch, position, tally);
        } else {
            self.queue_batch(batch, config, tally);
        }
    }

    /// Frame that [`Viewer::deliver`] would write now. The first call encodes it for all viewers like this one.
    pub(crate) fn frame<'a>(&self, batch: &'a SharedBatch) -> &'a Bytes {
        if self.only_counts(batch) {
            return batch.counted_frame(self.encoding);
        }
        self.held_lines.peek(batch, self.position.get(), self.encoding)
    }

    /// Whether this batch comes without its chat.
    #[inline]
    fn only_counts(&self, batch: &SharedBatch) -> bool {
        self.marks.is_hidden() && batch.chat() > 0
    }

    #[inline]
    fn write_batch(&self, batch: &Arc<SharedBatch>, position: Sequence, tally: &mut Tally) {
        let hidden = u64::from(self.only_counts(batch));
        let frame = if hidden == 0 {
            self.held_lines.frame(batch, position, self.encoding)
        } else {
            // Its chat is missing: nothing may refer to it.
            self.held_lines.forget();
            batch.counted_frame(self.encoding)
        };
        tally.writes += 1;
        let taken = match self.socket.send(frame) {
            Ok(taken) => taken,
            // The viewer's task then waits by the runtime, which finds the socket full by itself.
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            // The viewer's task finds the failure by reading.
            Err(_) => {
                tally.gone += 1;
                return;
            }
        };
        tally.bytes += taken as u64;
        if taken == frame.len() {
            tally.written += 1;
            tally.hidden += hidden;
            tally.hidden_written += hidden;
            if self.socket.is_behind() {
                self.fall_behind();
            }
            return;
        }
        let mut rest = frame.clone();
        rest.advance(taken);
        if rest.len() > self.queue_hard_bytes {
            // One message is larger than the queue. Part of its frame may be sent, so that no
            // close frame can follow.
            tally.gone += 1;
            self.closing.set(Some(Code::SlowViewer));
            self.wake.wake();
            return;
        }
        tally.queued += 1;
        tally.hidden += hidden;
        let mut outbox = self.outbox.borrow_mut();
        outbox.push_frame(rest, if hidden == 0 { batch.counts } else { batch.counts.without_chat() });
        tally.queued_bytes += outbox.report();
        drop(outbox);
        self.marks.set_clear(false);
        self.fall_behind();
    }

    fn queue_batch(&self, batch: &Arc<SharedBatch>, config: &GatewayConfig, tally: &mut Tally) {
        // Chat may be dropped out of the queue: nothing may refer to it.
        self.held_lines.forget();
        let mut outbox = self.outbox.borrow_mut();
        let hard_bytes = self.queue_hard_bytes.saturating_sub(CLOSE_BYTES);
        let pushed = if self.only_counts(batch) {
            tally.hidden += 1;
            let frame = batch.counted_frame(self.encoding).clone();
            outbox.push_counted(frame, batch.counts.without_chat(), hard_bytes)
        } else {
            outbox.push_batch(Arc::clone(batch), self.encoding, config.queue_soft_bytes, hard_bytes)
        };
        tally.queued += 1;
        tally.queued_bytes += outbox.report();
        tally.dropped_chat += pushed.dropped_chat;
        drop(outbox);
        if pushed.is_overflow {
            tally.overflowed += 1;
            self.close_as_slow();
        } else {
            self.fall_behind();
        }
    }

    /// Lets the viewer's task wait for the socket.
    pub(super) fn fall_behind(&self) {
        if self.deadlines.behind_since.get().is_none() {
            self.deadlines.behind_since.set(Some(Instant::now()));
        }
        self.wake.wake();
    }
}
