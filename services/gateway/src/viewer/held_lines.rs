use std::cell::Cell;

use barrage_protocol::Sequence;
use bytes::Bytes;

use crate::room::SharedBatch;
use crate::socket::Encoding;

/// Lines that a viewer was sent without a hole, so that batches may refer to them; pure.
///
/// A client keeps the lines of the frames that it was sent, up to a hole. What the gateway believes is at
/// most that.
#[derive(Debug)]
pub(crate) struct HeldLines {
    /// Length of the range of the chain of which the viewer has all lines, up to its position. A longer range
    /// counts as this long: the viewer may then get more than it needs. 32 bits, because the line of cache
    /// has no more.
    span: Cell<u32>,
}

impl HeldLines {
    /// Starts with no lines.
    pub(crate) const fn new() -> Self {
        HeldLines { span: Cell::new(0) }
    }

    /// Forgets the lines: the viewer was sent something else than the next batch, or is at another position.
    pub(crate) fn forget(&self) {
        self.span.set(0);
    }

    /// Returns the frame of the next batch, which is written behind what was sent up to `position`.
    #[inline]
    pub(crate) fn frame<'a>(
        &self,
        batch: &'a SharedBatch,
        position: Sequence,
        encoding: Encoding,
    ) -> &'a Bytes {
        let frame = self.peek(batch, position, encoding);
        if encoding.is_lines() {
            self.take(position, batch);
        }
        frame
    }

    /// Returns the frame that [`HeldLines::frame`] would return, and takes nothing.
    #[inline]
    pub(crate) fn peek<'a>(
        &self,
        batch: &'a SharedBatch,
        position: Sequence,
        encoding: Encoding,
    ) -> &'a Bytes {
        let has_trail =
            encoding.is_lines() && batch.trail_from().is_some_and(|from| self.since(position, batch) < from);
        let behind = if has_trail { batch.frame_behind() } else { None };
        behind.unwrap_or_else(|| batch.frame(encoding))
    }

    /// Position from which the viewer has all lines up to the batch; the batch's own one when it has none.
    fn since(&self, position: Sequence, batch: &SharedBatch) -> Sequence {
        let held = if batch.previous == position { u64::from(self.span.get()) } else { 0 };
        Sequence(batch.previous.0.saturating_sub(held))
    }

    /// Takes the next batch, for a viewer that was sent everything up to `position`.
    fn take(&self, position: Sequence, batch: &SharedBatch) {
        if batch.lines.is_none() {
            return self.forget();
        }
        // A batch of counters brings no lines.
        if batch.previous < batch.sequence {
            let since = self.since(position, batch);
            // Counters may end before the position of a viewer that resumed ahead of this gateway: a hole.
            let held = if batch.sequence < position { 0 } else { batch.sequence.0 - since.0 };
            self.span.set(u32::try_from(held).unwrap_or(u32::MAX));
        } else if batch.sequence > position {
            // They move a viewer whose wave has gone past messages that it is not sent.
            self.forget();
        }
    }
}

#[cfg(test)]
mod tests;
