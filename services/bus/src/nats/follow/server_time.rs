//! The time of the clock that stamps the streams' messages. Pure.

/// An estimate of that clock which never runs ahead of it and does not follow a step of this
/// machine's clock: the newest stamp seen, plus the steady time that has passed since.
#[derive(Debug, Default)]
pub(crate) struct ServerTime(Option<Seen>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    stamp_ms: u64,
    at_steady_ms: u64,
}

impl ServerTime {
    /// Returns Unix milliseconds, given the newest stamp of a stream. Of two clocks that disagree
    /// the earlier counts: messages are kept longer, and a step of a clock makes none too old.
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
    fn estimate_advances_without_messages_and_ignores_steps_of_either_clock() {
        let start = 100 * HOUR_MS;
        let mut time = ServerTime::default();
        assert_eq!(time.now_ms(start, 0, start), start);
        assert_eq!(time.now_ms(start, 5_000, start + 5_000), start + 5_000, "no message came");
        assert_eq!(time.now_ms(start, 6_000, start + 6_000 + HOUR_MS), start + 6_000, "this clock stepped");
        assert_eq!(
            time.now_ms(start + 7_000 + HOUR_MS, 7_000, start + 7_000),
            start + 7_000,
            "the server's clock stepped"
        );
        let mut new = ServerTime::default();
        assert_eq!(new.now_ms(start - HOUR_MS, 0, start), start - HOUR_MS, "a quiet stream");
        assert_eq!(new.now_ms(start, 1_000, start), start);
    }
}
