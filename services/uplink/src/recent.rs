//! A bounded memory of what happened lately, by key; the oldest is forgotten when
//! it is full.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Keys and the time they were last seen at, in Unix milliseconds.
#[derive(Debug)]
pub(crate) struct Recent<K> {
    seen: HashMap<K, u64>,
    order: VecDeque<(K, u64)>,
    max: usize,
}

impl<K: Hash + Eq + Clone> Recent<K> {
    pub(crate) fn new(max: usize) -> Self {
        Recent { seen: HashMap::new(), order: VecDeque::new(), max }
    }

    /// Whether the key was taken within the window.
    pub(crate) fn knows(&self, key: &K, window_ms: u64, now_ms: u64) -> bool {
        self.seen.get(key).is_some_and(|at_ms| at_ms + window_ms > now_ms)
    }

    /// Milliseconds until `window_ms` have passed since the key was last taken, or
    /// takes it now.
    pub(crate) fn take(&mut self, key: K, window_ms: u64, now_ms: u64) -> Result<(), u64> {
        if let Some(at_ms) = self.seen.get(&key) {
            let free_at_ms = at_ms + window_ms;
            if free_at_ms > now_ms {
                return Err(free_at_ms - now_ms);
            }
        }
        self.seen.insert(key.clone(), now_ms);
        self.order.push_back((key, now_ms));
        while self.order.len() > self.max {
            if let Some((key, at_ms)) = self.order.pop_front()
                && self.seen.get(&key) == Some(&at_ms)
            {
                self.seen.remove(&key);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_per_window_and_the_oldest_is_forgotten() {
        let mut recent = Recent::new(2);
        assert_eq!(recent.take("a", 100, 0), Ok(()));
        assert_eq!(recent.take("a", 100, 30), Err(70));
        assert_eq!(recent.take("a", 100, 100), Ok(()));
        assert_eq!(recent.take("b", 100, 110), Ok(()));
        assert_eq!(recent.take("c", 100, 120), Ok(()));
        assert_eq!(recent.take("a", 100, 130), Ok(()), "forgotten");
        assert!(recent.seen.len() <= 2);
    }
}
