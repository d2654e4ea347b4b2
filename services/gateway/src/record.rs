//! What the flight recorder keeps of each batch, and when a room's records become a file.

use std::time::Duration;

use barrage_protocol::Class;
use barrage_recorder::Record;
use serde::Serialize;

use crate::batch::SharedBatch;
use crate::gateway::{Shared, unix_ms};
use crate::heat::Heat;
use crate::overload::Level;
use crate::room::Room;

/// One batch, on its way to all viewers of this gateway.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct BatchRecord {
    /// Viewers of the room here.
    viewers: u32,
    messages: u32,
    gifts: u32,
    /// Of the messages' bodies, before compression.
    bytes: u32,
    window_ms: u32,
    /// How long its oldest message had been accepted.
    waited_ms: u32,
    /// Chat of its range that is not in it.
    left_out: u32,
    /// Bytes queued for viewers then, those of all rooms.
    queued_bytes: u64,
    /// Overload level.
    level: &'static str,
    heat: &'static str,
}

impl Record for BatchRecord {
    const SOURCE: &'static str = "gateway";
}

/// Keeps a batch; one of sums alone is not kept.
pub(crate) fn batch(shared: &Shared, room: &Room, batch: &SharedBatch, window: Duration, heat: Heat) {
    if batch.sequence == batch.previous {
        return;
    }
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let gifts = batch.messages.iter().filter(|message| message.class == Class::Gift).count();
    let bytes: usize = batch.messages.iter().map(|message| message.body.len()).sum();
    let record = BatchRecord {
        viewers: small(room.viewers()),
        messages: small(batch.messages.len() as u64),
        gifts: small(gifts as u64),
        bytes: small(bytes as u64),
        window_ms: small(window.as_millis() as u64),
        waited_ms: small(batch.waited_ms.unwrap_or_default()),
        left_out: small(batch.thinned),
        queued_bytes: u64::try_from(shared.metrics.backlog_bytes.get()).unwrap_or(0),
        level: shared.strain.level().label(),
        heat: heat.label(),
    };
    shared.recorder.push(&room.id, unix_ms(), record);
}

/// A file for a room that is a celebrity's, or is hot at a gateway that thins chat.
pub(crate) fn alert(shared: &Shared, room: &Room, heat: Heat) {
    let level = shared.strain.level();
    if level >= Level::ThinChat && heat >= Heat::Hot {
        shared.recorder.alert(&room.id, level.label(), unix_ms());
    } else if heat >= Heat::Celebrity {
        shared.recorder.alert(&room.id, heat.label(), unix_ms());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With its time and room, as docs/guide/tune.md says.
    #[test]
    fn a_record_is_small() {
        assert_eq!(size_of::<BatchRecord>() + 2 * size_of::<u64>(), 88);
    }
}
