//! Which partition a topic is in. No I/O.

use sha2::{Digest, Sha256};

use crate::log::Topic;

/// Maximum number of partitions. Each is a stream with a leader of its own, and far fewer use up
/// the capacity of a cluster.
pub(crate) const PARTITIONS_MAX: u16 = 64;

/// Returns the partition of a topic; messages for single users are all in the first one. Stored
/// messages depend on this function: with another one a room's chain would continue in another
/// stream. The digest spreads names evenly that differ only in a digit.
pub(crate) fn partition(topic: &Topic, partitions: u16) -> u16 {
    let Topic::Room(room) = topic else { return 0 };
    if partitions <= 1 {
        return 0;
    }
    let digest = Sha256::digest(room.as_str());
    let number = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
    u16::try_from(number % u64::from(partitions)).expect("less than a u16")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(room: &str, partitions: u16) -> u16 {
        partition(&Topic::Room(room.parse().unwrap()), partitions)
    }

    #[test]
    fn rooms_are_spread_evenly() {
        for name in [|n: usize| format!("room-{n}"), |n| format!("{n}"), |n| format!("live_{}_hd", n * 2)] {
            let mut rooms = [0_usize; 8];
            for n in 0..10_000 {
                rooms[usize::from(of(&name(n), 8))] += 1;
            }
            assert!(rooms.iter().all(|rooms| rooms.abs_diff(1_250) <= 125), "{rooms:?}");
        }
    }

    /// Stored chains depend on these numbers: a change of them would break every existing installation.
    #[test]
    fn a_room_keeps_its_partition() {
        let places = ["demo", "a", "b", "celebrity", "room-1"].map(|room| (of(room, 3), of(room, 64)));
        assert_eq!(places, [(2, 4), (1, 10), (1, 10), (0, 12), (2, 31)]);
        assert_eq!((of("b", 1), partition(&Topic::Direct, 3)), (0, 0));
    }
}
