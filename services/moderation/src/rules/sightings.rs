//! Distinct items in a window of time, and a bounded map of such windows.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// Admits a limited number of distinct items in a window.
///
/// Law: no window of the given length admits more than `max` distinct items. An item that was
/// admitted in the window is admitted again and counts once, so that a retry of a post is no repeat.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    /// Admitted items, oldest first, at most `max`.
    seen: VecDeque<(Duration, u64)>,
}

impl Sightings {
    /// Whether `item` is admitted now. An admitted item is remembered for `window`.
    pub(crate) fn admit(&mut self, item: u64, max: u32, window: Duration, now: Duration) -> bool {
        while self.seen.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= window) {
            self.seen.pop_front();
        }
        if self.seen.iter().any(|(_, seen)| *seen == item) {
            return true;
        }
        let free = self.seen.len() < max as usize;
        if free {
            if self.seen.is_empty() {
                // Most texts are seen once: no memory for a second item is taken before it comes.
                self.seen.reserve_exact(1);
            }
            self.seen.push_back((now, item));
        }
        free
    }
}

/// A map of at most `keys_max` keys in two halves. When the young half is full, it becomes the old
/// half, and the keys of the previous old half are forgotten. A key that is used moves to the young
/// half, so that the longest unused keys are forgotten.
///
/// The same happens when the young half is a window old. The keys of the old half were then not used for a
/// window at least, so that all their items are over: memory follows the keys of the last two windows.
#[derive(Debug)]
pub(crate) struct Halves<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half_max: usize,
    /// Start of the young half.
    since: Duration,
}

impl<K: Hash + Eq, V: Default> Halves<K, V> {
    pub(crate) fn new(keys_max: usize) -> Self {
        let half_max = (keys_max / 2).max(1);
        Halves { young: HashMap::new(), old: HashMap::new(), half_max, since: Duration::ZERO }
    }

    /// Returns the value of `key`; the default for an unknown key. Values are over once they were unused for
    /// `window`, which is the same in all calls.
    pub(crate) fn entry(&mut self, key: K, window: Duration, now: Duration) -> &mut V {
        if now.saturating_sub(self.since) >= window {
            self.begin_half(now);
        }
        if self.young.len() >= self.half_max && !self.young.contains_key(&key) {
            let value = self.old.remove(&key).unwrap_or_default();
            self.begin_half(now);
            return self.young.entry(key).or_insert(value);
        }
        let old = &mut self.old;
        self.young.entry(key).or_insert_with_key(|key| old.remove(key).unwrap_or_default())
    }

    fn begin_half(&mut self, now: Duration) {
        self.old = std::mem::take(&mut self.young);
        self.since = now;
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn longest_unused_half_is_forgotten() {
        let mut halves = Halves::<u32, u32>::new(10);
        *halves.entry(1, SECOND, Duration::ZERO) = 1;
        for key in 100..103 {
            *halves.entry(key, SECOND, Duration::ZERO) += 1;
        }
        for key in 200..1_000 {
            *halves.entry(key, SECOND, Duration::ZERO) += 1;
            assert_eq!(*halves.entry(1, SECOND, Duration::ZERO), 1, "the key is used all the time");
            assert!(halves.len() <= 10);
        }
        assert_eq!(*halves.entry(100, SECOND, Duration::ZERO), 0);
        assert_eq!(*halves.entry(999, SECOND, Duration::ZERO), 1);
    }

    #[test]
    fn key_that_moves_to_a_full_young_half_keeps_its_value() {
        let mut halves = Halves::<u32, u32>::new(4);
        for key in [1, 2, 3, 4] {
            *halves.entry(key, SECOND, Duration::ZERO) = key;
        }
        assert_eq!(*halves.entry(1, SECOND, Duration::ZERO), 1);
        assert_eq!(
            (*halves.entry(2, SECOND, Duration::ZERO), *halves.entry(4, SECOND, Duration::ZERO)),
            (0, 4)
        );
    }

    #[test]
    fn keys_that_were_not_used_for_two_windows_are_forgotten_and_others_are_not() {
        let mut halves = Halves::<u32, u32>::new(1_000_000);
        for n in 0..10_000 {
            // One key in a millisecond, and one that is used all the time.
            let now = Duration::from_millis(n.into());
            *halves.entry(n, SECOND, now) = n;
            *halves.entry(77_777, SECOND, now) += 1;
        }
        assert!(halves.len() <= 2_002, "{} keys", halves.len());
        let now = Duration::from_millis(9_999);
        assert_eq!(*halves.entry(77_777, SECOND, now), 10_000);
        assert_eq!(*halves.entry(9_001, SECOND, now), 9_001, "used within the window");
    }

    #[test]
    fn text_that_was_seen_once_takes_memory_for_one_item() {
        let mut sightings = Sightings::default();
        assert!(sightings.admit(1, 5, SECOND, Duration::ZERO));
        assert_eq!(sightings.seen.capacity(), 1);
    }

    proptest! {
        /// No window admits more than `max` distinct items, and no item is refused below `max`.
        #[test]
        fn windows_admit_at_most_max_distinct_items(
            steps in prop::collection::vec((0..4_u64, 0..6_u64), 1..80), max in 0..4_u32, secs in 1..8_u64,
        ) {
            let window = Duration::from_secs(secs);
            let (mut sightings, mut now) = (Sightings::default(), 0);
            let mut first_seen: Vec<(u64, u64)> = Vec::new();
            for (pause, item) in steps {
                now += pause;
                first_seen.retain(|(at, _)| now - at < secs);
                let known = first_seen.iter().any(|(_, seen)| *seen == item);
                let expected = known || first_seen.len() < max as usize;
                if expected && !known {
                    first_seen.push((now, item));
                }
                prop_assert_eq!(sightings.admit(item, max, window, Duration::from_secs(now)), expected);
                prop_assert!(sightings.seen.len() <= max as usize);
            }
        }
    }
}
