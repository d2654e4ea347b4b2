//! A ring with virtual nodes: which of several servers has a key.

use sha2::{Digest, Sha256};

/// Places keys on servers by consistent hashing.
///
/// Each server has many points on a circle of 64-bit numbers, and a key belongs to the server of the first
/// point at or behind its hash. When a server comes, only keys that are now its own move; when one goes, only
/// its keys move. Every process with the same names and the same number of points has the same ring: the
/// hash is SHA-256, and the order of the names does not count.
#[derive(Debug, Clone, Default)]
pub struct Ring {
    /// Points in order, each with the index of its server in the list of names.
    points: Vec<(u64, u16)>,
}

impl Ring {
    /// Places `virtual_nodes` points (at least 1) for each server. More points spread the keys more evenly:
    /// the share of a server differs from the mean by about one part in `sqrt(virtual_nodes)`. The ring takes
    /// 16 bytes for each point. Names beyond 65,536 get no point.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, virtual_nodes: u32) -> Self {
        let mut points = Vec::new();
        for (index, name) in (0..=u16::MAX).zip(names) {
            points.extend((0..virtual_nodes.max(1)).map(|n| (hash(&format!("{n}#{name}")), index)));
        }
        points.sort_unstable();
        Ring { points }
    }

    /// Returns the index of the server that has a key; `None` for a ring without servers.
    #[must_use]
    pub fn server_of(&self, key: &str) -> Option<usize> {
        let behind = self.points.partition_point(|(point, _)| *point < hash(key));
        let (_, index) = self.points.get(behind).or_else(|| self.points.first())?;
        Some(usize::from(*index))
    }
}

fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: usize = 2_000;
    const POINTS: u32 = 1_024;

    /// Names of the servers of each key.
    fn owners(names: &[String]) -> Vec<&str> {
        let ring = Ring::new(names.iter().map(String::as_str), POINTS);
        (0..KEYS).map(|n| names[ring.server_of(&format!("room-{n}")).unwrap()].as_str()).collect()
    }

    fn names(seed: u32, count: usize) -> Vec<String> {
        (0..count).map(|n| format!("10.0.{seed}.{n}:6379")).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Of N servers the one that comes takes at most 1/N and five in a hundred of the keys, and no key
        /// moves between two others. Read backwards: when it goes, its keys alone move.
        #[test]
        fn a_server_that_comes_or_goes_moves_its_own_keys_alone(seed in any::<u32>(), count in 3..12_usize, at in any::<prop::sample::Index>()) {
            let all = names(seed, count);
            let gone = all[at.index(count)].clone();
            let rest: Vec<String> = all.iter().filter(|name| **name != gone).cloned().collect();
            let (with, without) = (owners(&all), owners(&rest));
            let moved = with.iter().zip(&without).filter(|(now, before)| now != before);
            let moved: Vec<_> = moved.map(|(now, _)| *now).collect();
            prop_assert!(moved.iter().all(|now| *now == gone.as_str()));
            prop_assert_eq!(moved.len(), with.iter().filter(|now| **now == gone.as_str()).count());
            let share = moved.len() as f64 / KEYS as f64;
            prop_assert!(share <= 1.0 / count as f64 + 0.05, "{} of {} servers", share, count);
            prop_assert!(share > 0.0);
        }

        #[test]
        fn the_order_of_the_names_does_not_count(seed in any::<u32>(), count in 1..8_usize, first in any::<prop::sample::Index>()) {
            let all = names(seed, count);
            let mut turned = all.clone();
            turned.rotate_left(first.index(count));
            prop_assert_eq!(owners(&all), owners(&turned));
        }
    }

    /// Processes of two releases share pages by these places.
    #[test]
    fn a_key_keeps_its_server() {
        let ring = Ring::new(["a:6379", "b:6379", "c:6379"], POINTS);
        let places: Vec<_> = ["demo", "room-1", "room-2", "room-3", "celebrity"]
            .map(|key| ring.server_of(key).unwrap())
            .into();
        assert_eq!(places, [2, 0, 2, 1, 2]);
        assert_eq!(Ring::new([], POINTS).server_of("demo"), None);
    }
}
