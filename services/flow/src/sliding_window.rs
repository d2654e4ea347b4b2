//! Sliding window over fine buckets: a hard limit on every window.

use std::time::Duration;

use crate::rule::Window;
use crate::verdict::Verdict;

/// Fine buckets of a window. With 16 a unit is held at most 6.25 % too long, and the whole state is
/// two cache lines.
pub const GRAINS: usize = 16;

/// A window can overlap one fine bucket more than fit into it.
const COUNTS: usize = GRAINS + 1;

/// A sliding window. Its law: no window of the given length, wherever it begins, holds more than
/// `limit` units. The price is one grain, a sixteenth of the length rounded up to a nanosecond:
/// admitted units are forgotten up to one grain after they have left the window, never before.
#[derive(Debug, Clone, Copy)]
pub struct SlidingWindow {
    window: Window,
    /// Number of the newest fine bucket since the clock's origin.
    newest: u128,
    /// Ring: fine bucket `n` is at `n % COUNTS`.
    counts: [u32; COUNTS],
    /// Sum of all `counts`, so that a decision need not add them.
    sum: u32,
}

impl SlidingWindow {
    /// Creates a window without units, which admits its whole limit.
    #[must_use]
    pub fn empty(window: Window, now: Duration) -> Self {
        let mut empty = SlidingWindow { window, newest: 0, counts: [0; COUNTS], sum: 0 };
        empty.newest = empty.number(now);
        empty
    }

    /// Returns the grain, up to which the law is exact.
    #[must_use]
    pub fn grain(&self) -> Duration {
        Duration::from_nanos(self.grain_ns())
    }

    fn grain_ns(&self) -> u64 {
        let nanos = self.window.length().as_nanos().div_ceil(GRAINS as u128);
        u64::try_from(nanos).expect("a window is at most a day")
    }

    fn number(&self, now: Duration) -> u128 {
        now.as_nanos() / u128::from(self.grain_ns())
    }

    fn index(number: u128) -> usize {
        (number % COUNTS as u128) as usize
    }

    /// Advances to `now`. A clock that steps back does not move the window.
    fn advance(&mut self, now: Duration) {
        let number = self.number(now);
        if number >= self.newest + COUNTS as u128 {
            self.counts = [0; COUNTS];
            self.sum = 0;
            self.newest = number;
        }
        while self.newest < number {
            self.newest += 1;
            let left = std::mem::take(&mut self.counts[Self::index(self.newest)]);
            self.sum -= left;
        }
    }

    /// Takes `cost` units, all or none. A cost of 0 is always admitted.
    pub fn take(&mut self, cost: u32, now: Duration) -> Verdict {
        self.advance(now);
        let limit = self.window.limit();
        let remaining = limit.saturating_sub(self.sum);
        if cost <= remaining {
            self.counts[Self::index(self.newest)] += cost;
            self.sum += cost;
            return Verdict::Admit;
        }
        let retry_after = self.wait_for(cost, now);
        Verdict::Refuse { retry_after, limit, remaining }
    }

    /// Gives back units that were taken at `taken`. Returns how many: none when they have left the window, and never
    /// more than were taken about then. A unit may have been counted in the fine bucket beside.
    pub fn give_back(&mut self, units: u32, taken: Duration, now: Duration) -> u32 {
        self.advance(now);
        let number = self.number(taken);
        let oldest = (self.newest + 1).saturating_sub(COUNTS as u128);
        let mut given = 0;
        for number in [number, number + 1, number.saturating_sub(1)] {
            if (oldest..=self.newest).contains(&number) {
                let count = &mut self.counts[Self::index(number)];
                let part = (*count).min(units - given);
                *count -= part;
                given += part;
            }
        }
        self.sum -= given;
        given
    }

    /// Returns the time until enough old buckets have left; they leave oldest first.
    fn wait_for(&self, cost: u32, now: Duration) -> Duration {
        let Some(room) = self.window.limit().checked_sub(cost) else {
            return Duration::MAX;
        };
        let mut left = self.sum;
        let oldest = (self.newest + 1).saturating_sub(COUNTS as u128);
        for number in oldest..=self.newest {
            left -= self.counts[Self::index(number)];
            if left <= room {
                let leaves_ns = (number + COUNTS as u128) * u128::from(self.grain_ns());
                let wait_ns = leaves_ns.saturating_sub(now.as_nanos());
                return Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(u64::MAX));
            }
        }
        Duration::ZERO
    }

    /// Returns the units that still fit now.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> u32 {
        let mut window = *self;
        window.advance(now);
        window.window.limit().saturating_sub(window.sum)
    }

    /// Returns whether the window is empty: a new one in its place would decide the same.
    #[must_use]
    pub fn is_empty(&self, now: Duration) -> bool {
        self.remaining(now) == self.window.limit()
    }

    /// Returns the limit and the length of the window.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Changes the figures. With the same length the counts stay. With another length the whole sum
    /// moves to now, so that nothing is forgotten early.
    pub fn set_window(&mut self, window: Window, now: Duration) {
        self.advance(now);
        if window.length() == self.window.length() {
            self.window = window;
            return;
        }
        let sum = self.sum;
        *self = Self::empty(window, now);
        self.counts[Self::index(self.newest)] = sum;
        self.sum = sum;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the units admitted in the span of `length` that ends at `now`.
    fn held(admitted: &[(u64, u32)], now: u64, length: u64) -> u64 {
        let inside = admitted.iter().filter(|(at, _)| now - at < length);
        inside.map(|(_, cost)| u64::from(*cost)).sum()
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            limit in 1_u32..40,
            length_ns in 1_000_u64..3_000_000_000,
            steps in prop::collection::vec((0_u64..300_000_000, 1_u32..50), 1..120),
        ) {
            let window = Window::new(limit, Duration::from_nanos(length_ns)).unwrap();
            let mut sliding = SlidingWindow::empty(window, Duration::ZERO);
            let grain_ns = u64::try_from(sliding.grain().as_nanos()).unwrap();
            let mut admitted: Vec<(u64, u32)> = Vec::new();
            let mut now = 0;
            for (gap, cost) in steps {
                now += gap;
                let at = Duration::from_nanos(now);
                match sliding.take(cost, at) {
                    Verdict::Admit => {
                        admitted.push((now, cost));
                        prop_assert!(held(&admitted, now, length_ns) <= u64::from(limit));
                    }
                    Verdict::Refuse { retry_after, remaining, .. } => {
                        let coarse = grain_ns * (GRAINS as u64 + 1);
                        let load = held(&admitted, now, coarse) + u64::from(cost);
                        prop_assert!(load > u64::from(limit), "refused although it fits");
                        prop_assert!(remaining < cost);
                        if cost > limit {
                            prop_assert_eq!(retry_after, Duration::MAX);
                            continue;
                        }
                        let (mut then, mut early) = (sliding, sliding);
                        prop_assert!(then.take(cost, at + retry_after).is_admit());
                        let before = at + retry_after - Duration::from_nanos(1);
                        prop_assert!(!early.take(cost, before).is_admit());
                    }
                }
            }
        }
    }

    #[test]
    fn units_come_back_where_they_were_taken_and_only_while_they_count() {
        let second = Duration::from_secs(1);
        let at = |tenths: u32| second * tenths / 10;
        let mut sliding = SlidingWindow::empty(Window::new(10, second).unwrap(), Duration::ZERO);
        assert!(sliding.take(4, at(0)).is_admit() && sliding.take(6, at(5)).is_admit());
        assert_eq!(sliding.give_back(9, at(5), at(6)), 6, "no more than were taken then");
        assert_eq!(sliding.remaining(at(6)), 6);
        assert_eq!(sliding.give_back(4, at(0), at(11)), 0, "they have left the window");
        assert_eq!(sliding.remaining(at(11)), 10);
        assert_eq!(sliding.give_back(1, at(40), at(11)), 0, "not taken yet");
        assert!(sliding.take(10, at(12)).is_admit() && !sliding.take(1, at(12)).is_admit());
    }

    #[test]
    fn no_double_burst_passes_at_the_edge_of_a_window() {
        let second = Duration::from_secs(1);
        let mut sliding = SlidingWindow::empty(Window::new(10, second).unwrap(), Duration::ZERO);
        assert!(sliding.take(10, Duration::from_millis(990)).is_admit());
        assert!(!sliding.take(1, Duration::from_millis(1010)).is_admit());
        assert!(!sliding.take(1, Duration::from_millis(1980)).is_admit());
        assert!(sliding.take(10, Duration::from_millis(2063)).is_admit());
        assert!(sliding.take(10, Duration::MAX).is_admit());
        assert!(!sliding.take(1, Duration::ZERO).is_admit());
    }

    #[test]
    fn a_lowered_limit_acts_at_once_and_another_length_keeps_the_sum() {
        let second = Duration::from_secs(1);
        let mut sliding = SlidingWindow::empty(Window::new(10, second).unwrap(), Duration::ZERO);
        assert!(sliding.take(8, Duration::ZERO).is_admit());
        sliding.set_window(Window::new(5, second).unwrap(), Duration::ZERO);
        assert_eq!(sliding.remaining(Duration::ZERO), 0);
        sliding.set_window(Window::new(10, second * 60).unwrap(), second / 2);
        assert_eq!(sliding.remaining(second * 59), 2);
        assert_eq!(sliding.remaining(second * 70), 10);
    }
}
