//! Names for the senders of a recording that has hashes of its senders instead of names.

use sha2::{Digest, Sha256};

const FIRST: [&str; 16] = [
    "amber", "azure", "brisk", "calm", "clear", "early", "fern", "gold", "lucky", "mild", "north", "quiet",
    "rapid", "silver", "sunny", "velvet",
];
const LAST: [&str; 16] = [
    "badger", "comet", "crane", "falcon", "finch", "harbor", "heron", "lantern", "maple", "otter", "panda",
    "pebble", "river", "sparrow", "tiger", "willow",
];

/// Returns the name for a hash, such as `calm otter 17`. The same hash always gives the same name.
pub(super) fn of(sender: &str) -> String {
    let digest = Sha256::digest(sender.as_bytes());
    let (first, last) = (FIRST[usize::from(digest[0] % 16)], LAST[usize::from(digest[1] % 16)]);
    format!("{first} {last} {}", digest[2] % 100)
}

/// Whether a hash identifies no sender: old files have `0` or nothing for every sender.
pub(super) fn is_anonymous(hash: &str) -> bool {
    hash.trim_matches('0').is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn same_hash_gives_the_same_name() {
        assert_eq!(of("5bd04b14"), of("5bd04b14"));
        let names: HashSet<String> = (0..200).map(|n| of(&n.to_string())).collect();
        assert!(names.len() > 190, "{} names of 200 hashes", names.len());
    }

    #[test]
    fn zeros_and_empty_hashes_are_anonymous() {
        assert!(is_anonymous("") && is_anonymous("0") && is_anonymous("00000000"));
        assert!(!is_anonymous("5bd04b14") && !is_anonymous("D0"));
    }
}
