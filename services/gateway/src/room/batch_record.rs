use std::time::Duration;

use barrage_protocol::Class;
use barrage_recorder::Record;
use serde::Serialize;

use super::{Heat, SharedBatch};

/// Flight record of one batch; the recorder adds its time and room.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct BatchRecord {
    /// Viewers of the room on this gateway.
    viewers: u32,
    messages: u32,
    gifts: u32,
    /// Bytes of the messages' bodies, before compression.
    bytes: u32,
    window_ms: u32,
    /// Age of the oldest message when the batch was built.
    waited_ms: u32,
    /// Chat dropped from the batch, for all viewers alike.
    left_out: u32,
    /// Bytes queued for the viewers of all rooms.
    queued_bytes: u64,
    /// Label of the overload level when the batch was sent.
    level: &'static str,
    heat: &'static str,
}

impl Record for BatchRecord {
    const SOURCE: &'static str = "gateway";
}

/// Circumstances of a batch that the batch itself does not know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchCircumstances {
    pub(crate) viewers: u64,
    pub(crate) window: Duration,
    pub(crate) queued_bytes: u64,
    pub(crate) level: &'static str,
    pub(crate) heat: Heat,
}

impl BatchRecord {
    pub(crate) fn new(batch: &SharedBatch, circumstances: &BatchCircumstances) -> Self {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let gifts = batch.messages.iter().filter(|message| message.class == Class::Gift).count();
        let bytes: usize = batch.messages.iter().map(|message| message.body.len()).sum();
        BatchRecord {
            viewers: small(circumstances.viewers),
            messages: small(batch.messages.len() as u64),
            gifts: small(gifts as u64),
            bytes: small(bytes as u64),
            window_ms: small(circumstances.window.as_millis() as u64),
            waited_ms: small(batch.oldest_ms().unwrap_or_default()),
            left_out: small(batch.thinned),
            queued_bytes: circumstances.queued_bytes,
            level: circumstances.level,
            heat: circumstances.heat.label(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/guide/tune.md states this figure, so a larger record needs a change there.
    #[test]
    fn a_record_with_its_time_and_room_has_88_bytes_as_documented() {
        assert_eq!(size_of::<BatchRecord>() + 2 * size_of::<u64>(), 88);
    }
}
