//! Which partition a room is to be in, after the number of partitions has changed. Pure.

use barrage_protocol::RoomId;
use sha2::{Digest, Sha256};

/// Points of each partition on the ring. The share of a partition differs from the mean by some 3 %.
const POINTS: u16 = 1_024;

/// A ring of hashes with many points for each partition. A room belongs to the partition of the next point,
/// so that a further partition takes its share from all others and moves no other room.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    /// Points in order, each with its partition.
    points: Vec<(u64, u16)>,
}

impl Ring {
    pub(crate) fn new(partitions: u16) -> Self {
        let point = |partition: u16, n: u16| (hash(&format!("{partition}/{n}")), partition);
        let all = (0..partitions).flat_map(|partition| (0..POINTS).map(move |n| point(partition, n)));
        let mut points: Vec<_> = all.collect();
        points.sort_unstable();
        Ring { points }
    }

    /// Returns the partition of a room; the first one on an empty ring.
    pub(crate) fn owner(&self, room: &RoomId) -> u16 {
        let hash = hash(room.as_str());
        let next = self.points.partition_point(|(point, _)| *point < hash);
        let point = self.points.get(next).or_else(|| self.points.first());
        point.map_or(0, |(_, partition)| *partition)
    }
}

/// Takes other bytes of the digest than the place of a room that never moved, so that a new partition takes
/// as many rooms from each old one.
fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    u64::from_be_bytes(digest[8..16].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms() -> Vec<RoomId> {
        (0..20_000).map(|n| format!("room-{n}").parse().unwrap()).collect()
    }

    #[test]
    fn a_further_partition_takes_its_share_and_moves_no_other_room() {
        let rooms = rooms();
        for partitions in 1..16_u16 {
            let (before, after) = (Ring::new(partitions), Ring::new(partitions + 1));
            let mut moved = 0;
            for room in &rooms {
                let (old, new) = (before.owner(room), after.owner(room));
                assert!(new == old || new == partitions, "{room} moves from {old} to {new}");
                moved += usize::from(new != old);
            }
            let (share, bound) = (1.0 / f64::from(partitions + 1), 0.03);
            let moved = moved as f64 / rooms.len() as f64;
            assert!(moved <= share + bound && moved >= share - bound, "{moved} of {share}");
        }
    }

    #[test]
    fn many_partitions_have_even_shares() {
        let ring = Ring::new(64);
        let mut counts = [0_usize; 64];
        for room in rooms() {
            counts[usize::from(ring.owner(&room))] += 1;
        }
        assert!(counts.iter().all(|count| count.abs_diff(312) < 110), "{counts:?}");
    }

    /// Stored plans depend on these numbers: with others, rooms would move again for nothing.
    #[test]
    fn a_room_keeps_its_place_on_the_ring() {
        let ring = Ring::new(4);
        let owners = ["demo", "a", "b", "celebrity", "room-1"].map(|room| ring.owner(&room.parse().unwrap()));
        assert_eq!(owners, [3, 0, 3, 1, 2]);
    }
}
