//! What time it is by the clock that stamps the streams' messages. Pure.

/// An estimate that never runs ahead of that clock, and does not follow a step of this
/// machine's: the newest stamp seen, and the time that has passed here since.
#[derive(Debug, Default)]
pub(crate) struct ServerTime(Option<Seen>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    stamp_ms: u64,
    at_steady_ms: u64,
}

impl ServerTime {
    /// Unix milliseconds, after the newest stamp of a stream was seen. Where the clocks
    /// disagree the earlier one counts: messages are kept longer, and none is too old because
    /// of a step of a clock.
    pub(crate) fn now_ms(&mut self, stamp_ms: u64, steady_ms: u64, unix_ms: u64) -> u64 {
        let estimate = |seen: Seen| seen.stamp_ms + steady_ms.saturating_sub(seen.at_steady_ms);
        let known = self.0.map_or(0, estimate);
        if stamp_ms >= known {
            self.0 = Some(Seen { stamp_ms, at_steady_ms: steady_ms });
        }
        known.max(stamp_ms).min(unix_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn time_passes_without_messages_and_no_step_counts() {
        let start = 100 * HOUR_MS;
        let mut time = ServerTime::default();
        assert_eq!(time.now_ms(start, 0, start), start);
        assert_eq!(time.now_ms(start, 5_000, start + 5_000), start + 5_000, "no message came");
        assert_eq!(time.now_ms(start, 6_000, start + 6_000 + HOUR_MS), start + 6_000, "this clock stepped");
        assert_eq!(
            time.now_ms(start + 7_000 + HOUR_MS, 7_000, start + 7_000),
            start + 7_000,
            "the server's did"
        );
        let mut new = ServerTime::default();
        assert_eq!(new.now_ms(start - HOUR_MS, 0, start), start - HOUR_MS, "a quiet stream");
        assert_eq!(new.now_ms(start, 1_000, start), start);
    }
}
