//! Whom the courier told of a change in the last seconds: a device that attached meanwhile has missed it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// Time for which a change is remembered: longer than an announcement and the first synchronisation behind it.
pub(super) const TOLD_FOR: Duration = Duration::from_secs(5);

/// Keys that were told lately, bounded. Beyond the bound, every key counts as told until the memory is reliable
/// again: a needless bell costs one request.
#[derive(Debug)]
pub(super) struct Told<K> {
    latest: HashMap<K, Duration>,
    order: VecDeque<(Duration, K)>,
    keys_max: usize,
    unreliable_until: Duration,
}

impl<K: Copy + Eq + Hash> Told<K> {
    pub(super) fn new(keys_max: usize) -> Self {
        Told { latest: HashMap::new(), order: VecDeque::new(), keys_max, unreliable_until: Duration::ZERO }
    }

    /// Remembers that a key was told.
    pub(super) fn tell(&mut self, key: K, now: Duration) {
        self.forget_old(now);
        if self.order.len() >= self.keys_max {
            self.latest.clear();
            self.order.clear();
            self.unreliable_until = now + TOLD_FOR;
        }
        self.latest.insert(key, now);
        self.order.push_back((now, key));
    }

    /// Returns whether the key was told lately.
    pub(super) fn was_told(&self, key: &K, now: Duration) -> bool {
        let is_late = |at: &Duration| now.saturating_sub(*at) <= TOLD_FOR;
        now < self.unreliable_until || self.latest.get(key).is_some_and(is_late)
    }

    /// Returns the keys that were told lately; `None` when they are too many to know.
    pub(super) fn all(&self, now: Duration) -> Option<impl Iterator<Item = &K>> {
        (now >= self.unreliable_until).then(|| self.latest.keys().filter(move |key| self.was_told(key, now)))
    }

    fn forget_old(&mut self, now: Duration) {
        while let Some((at, key)) = self.order.front() {
            if now.saturating_sub(*at) <= TOLD_FOR {
                return;
            }
            // A key may have been told again behind this entry.
            if self.latest.get(key) == Some(at) {
                self.latest.remove(key);
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn key_is_remembered_for_its_time_from_the_last_telling() {
        let mut told = Told::new(10);
        told.tell(1, secs(10));
        told.tell(1, secs(13));
        told.tell(2, secs(16));
        assert!(told.was_told(&1, secs(18)) && !told.was_told(&1, secs(19)) && !told.was_told(&3, secs(18)));
        told.tell(3, secs(30));
        assert_eq!((told.latest.len(), told.order.len()), (1, 1));
    }

    #[test]
    fn beyond_the_bound_everything_counts_as_told_for_a_while() {
        let mut told = Told::new(3);
        for key in 0..4 {
            told.tell(key, secs(10));
        }
        assert!(told.was_told(&0, secs(11)) && told.was_told(&99, secs(11)));
        assert!(told.all(secs(11)).is_none());
        assert!(!told.was_told(&99, secs(16)) && told.all(secs(16)).is_some());
        assert!(told.order.len() <= 3);
    }
}
