//! A map whose copies share what they have in common.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::Index;
use std::sync::Arc;

/// Parts of a map that has entries. A change of a copy copies the entries of one part, without their values.
const PARTS: usize = 256;

type Part<K, V> = Arc<HashMap<K, Arc<V>>>;

/// A map that costs the same to copy whatever its size. Copies share their parts; a change of one copy
/// copies the part of the changed key alone, some 80 pointers of 20,000 entries.
///
/// [`SharedMap::changed_keys`] finds what differs between two copies without a walk over what they share.
pub struct SharedMap<K, V> {
    /// Empty for a map that never had an entry.
    parts: Arc<Vec<Part<K, V>>>,
    hasher: RandomState,
    len: usize,
}

impl<K: Hash + Eq + Clone, V> SharedMap<K, V> {
    fn part_of(&self, key: &K) -> usize {
        usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or(0)
    }

    /// Returns the value of a key, as an allocation that copies of the map share.
    #[must_use]
    pub fn get_shared(&self, key: &K) -> Option<&Arc<V>> {
        // Most maps of most installations are empty: no hash is computed then.
        if self.is_empty() {
            return None;
        }
        self.parts.get(self.part_of(key))?.get(key)
    }

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.get_shared(key).map(Arc::as_ref)
    }

    /// Returns whether a key has a value.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get_shared(key).is_some()
    }

    /// Stores a value in place of the key's known one.
    pub fn insert(&mut self, key: K, value: V) {
        let at = self.part_of(&key);
        let parts = Arc::make_mut(&mut self.parts);
        if parts.is_empty() {
            parts.resize(PARTS, Part::default());
        }
        let known = Arc::make_mut(&mut parts[at]).insert(key, Arc::new(value));
        self.len += usize::from(known.is_none());
    }

    /// Removes a key with its value. Does nothing for an unknown key.
    pub fn remove(&mut self, key: &K) {
        if !self.contains_key(key) {
            return;
        }
        let at = self.part_of(key);
        let known = Arc::make_mut(&mut Arc::make_mut(&mut self.parts)[at]).remove(key);
        self.len -= usize::from(known.is_some());
    }

    /// Removes the entries for which `is_kept` is false.
    pub fn retain(&mut self, is_kept: impl Fn(&K, &V) -> bool) {
        let gone: Vec<K> =
            self.iter().filter(|(key, value)| !is_kept(key, value)).map(|(key, _)| key.clone()).collect();
        gone.iter().for_each(|key| self.remove(key));
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the map has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns all entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flat_map(|part| part.iter()).map(|(key, value)| (key, &**value))
    }

    /// Returns all values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Returns the keys whose values were stored or removed since `before`, an earlier copy of this map. A
    /// value that was stored again counts, also an equal one. Parts that both copies share are not read.
    pub fn changed_keys<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a K> {
        let stored = self
            .parts_beside(before)
            .filter(|(key, value)| before.get_shared(key).is_none_or(|known| !Arc::ptr_eq(known, value)));
        let removed = before.parts_beside(self).filter(move |(key, _)| !self.contains_key(key));
        stored.chain(removed).map(|(key, _)| key)
    }

    /// Returns the entries of the parts that the other map does not share.
    fn parts_beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a K, &'a Arc<V>)> {
        let is_shared =
            |at: usize, part: &Part<K, V>| other.parts.get(at).is_some_and(|other| Arc::ptr_eq(part, other));
        let parts = self.parts.iter().enumerate().filter(move |(at, part)| !is_shared(*at, part));
        parts.flat_map(|(_, part)| part.iter())
    }
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        SharedMap { parts: Arc::clone(&self.parts), hasher: self.hasher.clone(), len: self.len }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        SharedMap { parts: Arc::default(), hasher: RandomState::new(), len: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: fmt::Debug + Hash + Eq + Clone, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Panics for an unknown key, as the index of a `HashMap` does.
impl<K: Hash + Eq + Clone, V> Index<&K> for SharedMap<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("the caller has stored the key")
    }
}

impl<K: Hash + Eq + Clone, V> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = SharedMap::default();
        entries.into_iter().for_each(|(key, value)| map.insert(key, value));
        map
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::hash::Hasher;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Copies are independent, and differ in the keys that were changed since.
        #[test]
        fn map_and_its_earlier_copy_answer_as_maps_of_the_standard_library_do(
            before in prop::collection::vec((0_u8..40, any::<Option<u8>>()), 0..60),
            after in prop::collection::vec((0_u8..40, any::<Option<u8>>()), 0..60),
        ) {
            let (mut map, mut model) = (SharedMap::default(), BTreeMap::new());
            let change = |map: &mut SharedMap<u8, u8>, model: &mut BTreeMap<u8, u8>, key, value| match value {
                Some(value) => {
                    map.insert(key, value);
                    model.insert(key, value);
                }
                None => {
                    map.remove(&key);
                    model.remove(&key);
                }
            };
            for (key, value) in before {
                change(&mut map, &mut model, key, value);
            }
            let (earlier, earlier_model) = (map.clone(), model.clone());
            for (key, value) in after {
                change(&mut map, &mut model, key, value);
            }
            let sorted = |map: &SharedMap<u8, u8>| map.iter().map(|(k, v)| (*k, *v)).collect::<BTreeMap<_, _>>();
            prop_assert_eq!(sorted(&map), model.clone());
            prop_assert_eq!(sorted(&earlier), earlier_model.clone());
            prop_assert_eq!((map.len(), earlier.len()), (model.len(), earlier_model.len()));
            for key in 0..40 {
                if model.get(&key) != earlier_model.get(&key) {
                    prop_assert!(map.changed_keys(&earlier).any(|changed| *changed == key));
                }
            }
            prop_assert_eq!(map.changed_keys(&map.clone()).count(), 0);
            map.retain(|key, _| *key < 20);
            model.retain(|key, _| *key < 20);
            prop_assert_eq!(sorted(&map), model);
        }
    }

    thread_local! {
        static VISITED: Cell<usize> = const { Cell::new(0) };
    }

    /// A key that counts its hashes and its comparisons.
    #[derive(Debug, Clone)]
    struct Counted(u32);

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            VISITED.set(VISITED.get() + 1);
            self.0.hash(state);
        }
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            VISITED.set(VISITED.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted {}

    #[test]
    fn change_and_difference_visit_one_part_of_20_000_entries() {
        let before: SharedMap<Counted, u32> = (0..20_000).map(|n| (Counted(n), n)).collect();
        VISITED.set(0);
        let mut after = before.clone();
        assert_eq!(VISITED.get(), 0, "a copy visits nothing");
        after.insert(Counted(7), 8);
        // Mostly two hashes and a comparison. A part that happens to be full grows: each entry is hashed once.
        assert!(VISITED.get() < 200, "{} visited by a change", VISITED.get());
        VISITED.set(0);
        let changed: Vec<u32> = after.changed_keys(&before).map(|key| key.0).collect();
        assert_eq!(changed, [7]);
        // Each entry of the part is found in the other copy, twice: as stored and as removed.
        assert!(VISITED.get() < 1_500, "{} visited by the difference", VISITED.get());
    }
}
