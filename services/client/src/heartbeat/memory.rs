//! Limits of the networks that a client has used, bounded in number and age.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::NetworkLimits;

/// Networks kept. Beyond, the one that changed longest ago is forgotten.
const NETWORKS_MAX: usize = 32;
/// Age in seconds from which the limits of a network are forgotten: 30 days.
const KEEP_S: u64 = 30 * 24 * 3_600;
/// Longest stored text that is read; a longer one is no memory of this client.
const STORED_BYTES_MAX: usize = 64 * 1024;
/// Longest key of a network in characters.
const KEY_CHARS_MAX: usize = 80;

/// Returns the key of a network: its type, then what else is known of it, such as a network id, the carrier
/// and the region of entry's answer. Characters beyond letters, digits, `.`, `-` and `_` become `_`, and the
/// key has at most 80 characters.
#[must_use]
pub fn network_key<'a>(network_type: &'a str, details: impl IntoIterator<Item = &'a str>) -> String {
    let parts = std::iter::once(network_type).chain(details).filter(|part| !part.is_empty());
    let clean = |part: &str| -> String {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        part.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect()
    };
    let key = parts.map(clean).collect::<Vec<_>>().join("/");
    key.chars().take(KEY_CHARS_MAX).collect()
}

/// Limits of each network, by its key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkMemory {
    networks: BTreeMap<String, NetworkLimits>,
}

impl NetworkMemory {
    /// Reads a stored memory. Anything else than one, and networks older than 30 days, are left out: the
    /// search then starts anew.
    #[must_use]
    pub fn read(stored: &str, now_s: u64) -> Self {
        let memory = Some(stored).filter(|stored| stored.len() <= STORED_BYTES_MAX);
        let mut memory: NetworkMemory =
            memory.and_then(|stored| serde_json::from_str(stored).ok()).unwrap_or_default();
        memory.networks.retain(|key, limits| {
            let is_young = now_s.saturating_sub(limits.changed_at_s) < KEEP_S;
            key.len() <= KEY_CHARS_MAX && is_young && limits.is_plausible()
        });
        memory.forget_beyond_bound();
        memory
    }

    /// Returns the text to store, which [`NetworkMemory::read`] takes.
    #[must_use]
    pub fn to_stored(&self) -> String {
        serde_json::to_string(self).expect("a memory is plain data")
    }

    /// Returns the limits of a network; those of an unknown network are empty.
    #[must_use]
    pub fn of(&self, key: &str) -> NetworkLimits {
        self.networks.get(key).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, key: &str, limits: NetworkLimits) {
        self.networks.insert(key.to_owned(), limits);
        self.forget_beyond_bound();
    }

    fn forget_beyond_bound(&mut self) {
        while self.networks.len() > NETWORKS_MAX {
            let oldest = self.networks.iter().min_by_key(|(_, limits)| limits.changed_at_s);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
            self.networks.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(changed_at_s: u64) -> NetworkLimits {
        NetworkLimits { interval_ms: 60_000, proven_ms: 60_000, changed_at_s, ..NetworkLimits::default() }
    }

    #[test]
    fn memory_keeps_the_networks_that_changed_last() {
        let mut memory = NetworkMemory::default();
        for n in 0..100 {
            memory.set(&format!("wifi/{n}"), changed(n));
        }
        assert_eq!(memory.networks.len(), NETWORKS_MAX);
        assert_eq!(memory.of("wifi/67"), NetworkLimits::default());
        assert_eq!(memory.of("wifi/68").proven_ms, 60_000);
        let read = NetworkMemory::read(&memory.to_stored(), 100);
        assert_eq!(read, memory);
        assert_eq!(NetworkMemory::read(&memory.to_stored(), 90 + KEEP_S).networks.len(), 9);
    }

    #[test]
    fn stored_text_that_is_no_memory_starts_anew() {
        let huge = format!(r#"{{"networks":{{}},"x":"{}"}}"#, "x".repeat(STORED_BYTES_MAX));
        let forged = r#"{"networks":{"wifi":{"proven_ms":18446744073709551615}}}"#.to_owned();
        let long_key = format!(r#"{{"networks":{{"{}":{{}}}}}}"#, "k".repeat(81));
        for stored in ["", "null", "[]", r#"{"networks":7}"#, r#"{"networks":{"a":{"proven_ms":-1}}}"#] {
            assert_eq!(NetworkMemory::read(stored, 0), NetworkMemory::default(), "{stored}");
        }
        for stored in [huge, long_key, forged] {
            assert_eq!(NetworkMemory::read(&stored, 0), NetworkMemory::default());
        }
    }

    #[test]
    fn key_is_bounded_and_plain() {
        assert_eq!(network_key("cellular", ["CN Mobile", "east"]), "cellular/CN_Mobile/east");
        assert_eq!(network_key("unknown", ["", ""]), "unknown");
        assert_eq!(network_key("wifi", ["家".repeat(200).as_str()]).len(), 80);
    }
}
