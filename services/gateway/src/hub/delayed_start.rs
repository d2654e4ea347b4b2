use std::time::Duration;

use barrage_bus::{RangeLimits, Topic};
use barrage_clock::{steady_ms, unix_ms};
use barrage_protocol::Sequence;

use crate::context::Context;
use crate::room::{DelayQueue, Hide, Room, View, delay_ms};

/// Pause before the bus is asked again for the messages of the delay.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// Limits of one read: chat of 10 s of a busy room.
const LIMITS: RangeLimits = RangeLimits { chat_max: 5_000, precious_max: 5_000, bytes_max: 16 << 20 };

/// Position at which viewers start in a room, and the messages behind it that are not due yet.
pub(super) struct Start {
    pub(super) position: Sequence,
    pub(super) waiting: DelayQueue,
}

/// Finds the start for a hub whose subscription begins at `newest`. Without a delay that is `newest`. With
/// one, viewers start before the messages of the delay, and hiding signals are remembered for repairs.
///
/// `None` when the gateway ends before the bus answers: a start without the read would show messages early.
pub(super) async fn find(room: &Room, context: &Context, topic: &Topic, newest: Sequence) -> Option<Start> {
    let delay_ms = match room.key.view {
        View::Everyone => delay_ms(&context.bus.settings().borrow(), &room.id),
        View::Staff => 0,
    };
    room.set_delay_ms(delay_ms);
    let (mut position, mut waiting) = (newest, DelayQueue::default());
    if delay_ms == 0 {
        return Some(Start { position, waiting });
    }
    let mut after = Sequence::ZERO;
    while after < newest {
        let reading = context.bus.range(topic, after, Some(Sequence(newest.0 + 1)), LIMITS);
        let range = match room.heartbeat.while_waiting(reading).await {
            Ok(range) => range,
            Err(error) => {
                tracing::warn!(%error, "the bus did not return the messages of the delay; trying again");
                tokio::select! {
                    () = room.heartbeat.while_waiting(tokio::time::sleep(RETRY_EVERY)) => continue,
                    () = context.lifecycle.ended.cancelled() => return None,
                }
            }
        };
        let now_ms = unix_ms();
        for message in range.messages {
            if let Some(hide) = Hide::of(&message) {
                waiting.hide(&hide);
                room.hides.add(hide);
            }
            let age_ms = now_ms.saturating_sub(message.at_ms);
            if age_ms >= delay_ms && waiting.is_empty() {
                continue;
            }
            if waiting.is_empty() {
                position = message.previous;
            }
            waiting.push(message.sequence, room.hides.left_of(message), age_ms, steady_ms());
        }
        if range.covered_to <= after {
            break;
        }
        after = range.covered_to;
    }
    Some(Start { position, waiting })
}
