//! When a device asks for what it lacks. Pure: time and chance come in.

use std::time::Duration;

use barrage_backoff::Backoff;
use tokio::time::Instant;

/// Bounds of the pause behind an answer that brought nothing new, and behind a request that failed.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// Longest spread that a bell may ask for; a longer one counts as this one.
const SPREAD_MS_MAX: u64 = 60_000;

/// The plan of a device's requests: at most one is planned, at the earliest time that something asked for.
#[derive(Debug)]
pub(super) struct Questions {
    due_at: Option<Instant>,
    pause: Backoff,
}

impl Default for Questions {
    fn default() -> Self {
        Questions { due_at: None, pause: Backoff::new(PAUSE.0, PAUSE.1) }
    }
}

impl Questions {
    /// Returns the time of the next request.
    pub(super) const fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// Plans a request within a spread in milliseconds; 0 for at once.
    pub(super) fn ask(&mut self, spread_ms: u64, now: Instant, random: f64) {
        let spread = Duration::from_millis(spread_ms.min(SPREAD_MS_MAX));
        self.plan(now + spread.mul_f64(random.clamp(0.0, 1.0)));
    }

    /// Notes that the request is on its way.
    pub(super) fn began(&mut self) {
        self.due_at = None;
    }

    /// Plans the request for the next page, at once.
    pub(super) fn continued(&mut self, now: Instant) {
        self.pause.reset();
        self.plan(now);
    }

    /// Notes an answer behind which the device lacks nothing.
    pub(super) fn settled(&mut self) {
        self.pause.reset();
    }

    /// Plans another request behind one that failed, or whose answer mail has overtaken: after a pause that grows, or
    /// the longer one that the server named.
    pub(super) fn failed(&mut self, named: Option<Duration>, now: Instant, random: f64) {
        let pause = self.pause.next_wait(0.5 + random.clamp(0.0, 1.0) / 2.0);
        // What was asked for meanwhile waits as well.
        self.due_at = Some(now + named.map_or(pause, |named| named.max(pause)));
    }

    fn plan(&mut self, at: Instant) {
        self.due_at = Some(self.due_at.map_or(at, |due_at| due_at.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn earliest_request_counts_and_a_spread_is_bounded() {
        let (mut questions, now) = (Questions::default(), Instant::now());
        questions.ask(u64::MAX, now, 1.0);
        assert_eq!(questions.due_at(), Some(now + MS(60_000)));
        questions.ask(10_000, now, 0.5);
        questions.ask(20_000, now, 0.5);
        assert_eq!(questions.due_at(), Some(now + MS(5_000)));
        questions.began();
        assert_eq!(questions.due_at(), None);
    }

    #[test]
    fn answers_that_bring_nothing_are_asked_for_ever_less_often() {
        let (mut questions, now) = (Questions::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..9 {
            questions.began();
            questions.failed(None, now, 1.0);
            pauses.push((questions.due_at().unwrap() - now).as_millis());
        }
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        questions.settled();
        questions.failed(Some(MS(900)), now, 0.0);
        assert_eq!(questions.due_at(), Some(now + MS(900)), "the server's time is the longer one");
        questions.failed(Some(MS(1)), now, 0.0);
        assert_eq!(questions.due_at(), Some(now + MS(250)), "half of the pause at least");
    }
}
