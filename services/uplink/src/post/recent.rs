//! A bounded memory of recent keys. When the memory is full, the oldest key is forgotten.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Keys with the Unix time, in milliseconds, at which each was last taken.
#[derive(Debug)]
pub(super) struct Recent<K> {
    taken_at_ms: HashMap<K, u64>,
    order: VecDeque<(K, u64)>,
    max: usize,
}

impl<K: Hash + Eq + Clone> Recent<K> {
    pub(super) fn new(max: usize) -> Self {
        Recent { taken_at_ms: HashMap::new(), order: VecDeque::new(), max }
    }

    /// Whether the key was taken within the last `window_ms`.
    pub(super) fn contains(&self, key: &K, window_ms: u64, now_ms: u64) -> bool {
        self.taken_at_ms.get(key).is_some_and(|at_ms| at_ms + window_ms > now_ms)
    }

    /// Takes the key at `now_ms`.
    ///
    /// # Errors
    /// The milliseconds until the key is free, when it was taken within the last `window_ms`.
    pub(super) fn take(&mut self, key: K, window_ms: u64, now_ms: u64) -> Result<(), u64> {
        if let Some(at_ms) = self.taken_at_ms.get(&key) {
            let free_at_ms = at_ms + window_ms;
            if free_at_ms > now_ms {
                return Err(free_at_ms - now_ms);
            }
        }
        self.taken_at_ms.insert(key.clone(), now_ms);
        self.order.push_back((key, now_ms));
        while self.order.len() > self.max {
            if let Some((key, at_ms)) = self.order.pop_front()
                && self.taken_at_ms.get(&key) == Some(&at_ms)
            {
                self.taken_at_ms.remove(&key);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_taken_once_per_window_and_the_oldest_is_forgotten() {
        let mut recent = Recent::new(2);
        assert_eq!(recent.take("a", 100, 0), Ok(()));
        assert_eq!(recent.take("a", 100, 30), Err(70));
        assert_eq!(recent.take("a", 100, 100), Ok(()));
        assert_eq!(recent.take("b", 100, 110), Ok(()));
        assert_eq!(recent.take("c", 100, 120), Ok(()));
        assert_eq!(recent.take("a", 100, 130), Ok(()), "a was forgotten");
        assert!(recent.taken_at_ms.len() <= 2);
    }
}
