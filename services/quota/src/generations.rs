//! A bounded map that forgets entries which were not used for long.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

use prometheus::IntGauge;

/// A map in two generations. A used entry moves to the young one; when that is full it becomes the
/// old one, and the old one is forgotten. So the map holds at least the last `entries_max / 2` used
/// entries and at most `entries_max`, without keeping an order.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    young_max: usize,
    /// Number of entries of all maps that share the gauge.
    gauge: IntGauge,
}

impl<K: Eq + Hash + Clone, V> Generations<K, V> {
    pub(crate) fn new(entries_max: usize, gauge: IntGauge) -> Self {
        let young_max = (entries_max / 2).max(1);
        Generations { young: HashMap::new(), old: HashMap::new(), young_max, gauge }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.gauge.dec();
            return Some(self.insert(key.clone(), value));
        }
        self.young.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> &mut V {
        self.gauge.sub(i64::from(self.old.remove(&key).is_some()));
        if !self.young.contains_key(&key) {
            if self.young.len() >= self.young_max {
                let forgotten = mem::replace(&mut self.old, mem::take(&mut self.young));
                self.gauge.sub(forgotten.len() as i64);
            }
            self.gauge.inc();
        }
        self.young.entry(key).insert_entry(value).into_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_bounded_and_keeps_entries_in_use() {
        let gauge = IntGauge::new("entries", "Entries.").unwrap();
        let mut map = Generations::new(10, gauge.clone());
        for n in 0..1_000 {
            map.insert(n, n);
            assert!(gauge.get() <= 10);
            assert_eq!(gauge.get() as usize, map.young.len() + map.old.len());
            assert_eq!(map.get(&0), Some(&mut 0), "used in every round");
            assert_eq!(map.get(&n), Some(&mut n.clone()));
        }
        assert_eq!(map.get(&500), None);
        map.insert(999, 7);
        assert_eq!(map.get(&999), Some(&mut 7));
    }
}
