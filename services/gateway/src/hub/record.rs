use std::time::Duration;

use barrage_clock::unix_ms;

use crate::context::Context;
use crate::load::Level;
use crate::room::{BatchCircumstances, BatchRecord, Heat, Room, SharedBatch};

/// Keeps a flight record of a batch; a batch of sums alone is not kept.
pub(super) fn batch(context: &Context, room: &Room, batch: &SharedBatch, window: Duration, heat: Heat) {
    if batch.sequence == batch.previous {
        return;
    }
    let circumstances = BatchCircumstances {
        viewers: room.viewers(),
        window,
        queued_bytes: u64::try_from(context.metrics.backlog_bytes.get()).unwrap_or(0),
        level: context.load.level().label(),
        heat,
    };
    let record = BatchRecord::new(batch, &circumstances);
    context.history.recorder.push(&room.id, unix_ms(), record);
}

/// Writes the room's records to a file when its circumstances call for that.
pub(super) fn alert(context: &Context, room: &Room, heat: Heat) {
    if let Some(reason) = alert_reason(context.load.level(), heat) {
        context.history.recorder.alert(&room.id, reason, unix_ms());
    }
}

/// A room's records become a file when the room is a celebrity's, or is hot while the gateway
/// thins chat.
fn alert_reason(level: Level, heat: Heat) -> Option<&'static str> {
    if level >= Level::ThinChat && heat >= Heat::Hot {
        Some(level.label())
    } else {
        (heat >= Heat::Celebrity).then_some(heat.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kept_of_celebrities_and_of_hot_rooms_under_overload() {
        assert_eq!(alert_reason(Level::Normal, Heat::Hot), None);
        assert_eq!(alert_reason(Level::ThinChat, Heat::Warm), None);
        assert_eq!(alert_reason(Level::ThinChat, Heat::Hot), Some("thin_chat"));
        assert_eq!(alert_reason(Level::Normal, Heat::Celebrity), Some("celebrity"));
    }
}
