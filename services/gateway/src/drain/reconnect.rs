use std::time::Duration;

use barrage_protocol::entry::Endpoint;
use barrage_protocol::frame::Reconnect;

use super::Cause;

/// Time between two rounds in which a shard notifies viewers of a drain.
pub(crate) const NOTIFY_EVERY: Duration = Duration::from_millis(100);
/// Least time between a viewer's notification and its close.
pub(crate) const MOVE_MIN: Duration = Duration::from_secs(1);

/// Returns the time that a viewer gets, when the drain ends in `until_end`.
pub(crate) fn time_left(until_end: Duration) -> Duration {
    until_end.max(MOVE_MIN)
}

/// Builds the frame that sends one viewer away. Viewers of one round wait a random part of
/// [`NOTIFY_EVERY`], so that they do not arrive together.
pub(crate) fn reconnect_frame(cause: Cause, left: Duration, endpoints: Vec<Endpoint>) -> Reconnect {
    let message = match cause {
        Cause::Shutdown | Cause::Drain => {
            "this gateway is draining; open a connection elsewhere, then close this one"
        }
        Cause::GiveBack => {
            "this gateway is rebalancing its load; open a connection elsewhere, then close this one"
        }
    };
    let round_ms = u64::try_from(NOTIFY_EVERY.as_millis()).unwrap_or(u64::MAX);
    Reconnect {
        after_ms: rand::random_range(0..round_ms),
        deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        endpoints,
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_gets_a_second_even_after_the_deadline() {
        assert_eq!(time_left(Duration::ZERO), MOVE_MIN);
        let frame = reconnect_frame(Cause::Drain, time_left(Duration::from_secs(7)), Vec::new());
        assert_eq!(frame.deadline_ms, 7_000);
        assert!(frame.after_ms < 100);
    }
}
