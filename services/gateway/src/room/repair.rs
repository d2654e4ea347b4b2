use std::time::Duration;

use barrage_bus::{BusError, Log, Range, RangeLimits, Topic};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{RoomId, Sequence};

use super::Room;

/// Longest read of one repair. A viewer gets nothing else meanwhile, and asks again by itself.
const READ_MAX: Duration = Duration::from_secs(3);
/// Longest wait for the bus's newest position.
const LAST_MAX: Duration = Duration::from_secs(1);

/// Bounds of one answer to a repair or a resume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RepairSizes {
    pub(crate) chat_max: usize,
    pub(crate) bytes_max: usize,
}

impl RepairSizes {
    /// Returns the sizes for an event stream. Its answers follow one another without a request, so that
    /// smaller ones cost no time, and a client that never reads holds half of the memory.
    pub(crate) fn of_stream(self) -> Self {
        RepairSizes { bytes_max: self.bytes_max / 2, ..self }
    }
}

/// Reads missed ranges of one room off the bus, for a viewer that repairs or resumes.
#[derive(Clone, Copy)]
pub(crate) struct RepairReader<'a> {
    log: &'a dyn Log,
    room: &'a RoomId,
    sizes: RepairSizes,
    /// Room whose viewers may get it later than the bus has it.
    shown: Option<&'a Room>,
}

impl<'a> RepairReader<'a> {
    #[cfg(test)]
    pub(crate) fn new(log: &'a dyn Log, room: &'a RoomId, sizes: RepairSizes) -> Self {
        RepairReader { log, room, sizes, shown: None }
    }

    /// Makes a reader for the viewers of a room. In a room with a delay it returns nothing behind their
    /// position, and nothing that was hidden before they could see it.
    pub(crate) fn of(log: &'a dyn Log, room: &'a Room, sizes: RepairSizes) -> Self {
        RepairReader { log, room: &room.id, sizes, shown: Some(room) }
    }

    /// Reads the range (`after`, `before`), or up to the newest message. A range without room for
    /// a message is complete at once: a viewer that is ahead does not wait for the bus.
    pub(crate) async fn range(&self, after: Sequence, before: Option<Sequence>) -> Result<Range, BusError> {
        let delayed = self.shown.filter(|room| room.is_delayed());
        let end = delayed.map(|room| Sequence(room.position().0 + 1));
        let before = end.map_or(before, |end| Some(before.map_or(end, |before| before.min(end))));
        if before.is_some_and(|before| before.0 <= after.0 + 1) {
            let (outcome, messages) = (RepairOutcome::Complete, Vec::new());
            return Ok(Range { outcome, skipped: 0, messages, covered_to: after });
        }
        let RepairSizes { chat_max, bytes_max } = self.sizes;
        let limits = RangeLimits { chat_max, bytes_max, ..RangeLimits::default() };
        let topic = Topic::Room(self.room.clone());
        let read = self.log.range(&topic, after, before, limits);
        let timely = tokio::time::timeout(READ_MAX, read).await;
        let mut range = timely
            .unwrap_or_else(|_| Err(BusError::Unavailable("the bus did not answer within 3 s".into())))?;
        // Also behind the end of a delay: what was hidden under it stays away.
        if let Some(room) = self.shown {
            room.hides.filter(&mut range.messages);
        }
        Ok(range)
    }

    /// Returns the position at which a viewer resumes that has seen `after`, in a room at
    /// `position` here.
    ///
    /// Another gateway may have shown the viewer messages that are still on their way to this one:
    /// it then resumes at `after`. A position that the bus never had counts as `position`. When
    /// the bus does not answer in time, `after` is believed.
    pub(crate) async fn resume_at(&self, after: Sequence, position: Sequence) -> Sequence {
        if after <= position {
            return position;
        }
        let topic = Topic::Room(self.room.clone());
        match tokio::time::timeout(LAST_MAX, self.log.last(&topic)).await {
            Ok(Ok(last)) if after > last => position,
            Ok(Ok(_)) => after,
            Ok(Err(_)) | Err(_) => {
                tracing::debug!(room = %self.room, "the bus did not confirm a viewer's position");
                after
            }
        }
    }
}

#[cfg(test)]
mod tests;
