//! Who is told of each batch that the inbox has taken.

use barrage_inbox::Changes;
use barrage_protocol::Sequence;

/// A batch that is committed: its rows are readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Lane of the batch.
    pub lane: u16,
    /// Position of the lane in the inbox from now on.
    pub up_to: Sequence,
    /// Rows of the batch, each once, and the outcomes of its events.
    pub changes: Changes,
}

/// Gets each committed batch, in the order of its lane.
///
/// A batch may be missing: the answer to a commit can be lost, and another courier may have taken it. The sink then
/// learns that there was one.
pub trait MailSink: Send + Sync + 'static {
    /// Takes a batch. The lane waits for the return, so the call must not block; a sink that is full drops.
    fn committed(&self, batch: Batch);

    /// Notes that a batch of a lane may be committed whose changes are not known. Must not block either.
    fn lost(&self, lane: u16);
}

/// A sink that drops everything, for a courier without live delivery.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMail;

impl MailSink for NoMail {
    fn committed(&self, _: Batch) {}

    fn lost(&self, _: u16) {}
}
