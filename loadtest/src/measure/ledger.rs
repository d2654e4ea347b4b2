//! Sent messages, and what each viewer received of them.
//!
//! A message counts as sent when its post was answered or when any viewer received it: a message
//! that one viewer received is owed to all viewers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Sent messages of all rooms, collected from answers and from received messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Ledgers by the room's index in the scenario.
    pub rooms: BTreeMap<u32, RoomLedger>,
}

/// Sent messages of one room, by their positions in the chain.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoomLedger {
    /// Position of each gift, with a hash of the sender's id.
    pub gifts: BTreeMap<u64, u64>,
    /// Positions of the room's chat messages in the chain.
    pub chats: BTreeSet<u64>,
}

/// What one viewer received in one stay.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Record {
    /// Index of the room in the scenario.
    pub room: u32,
    /// Position of the chain when the viewer joined.
    pub first: u64,
    /// Position of the chain when the viewer left.
    pub last: u64,
    /// Whether the viewer stayed to the end, so that every message since its join is owed.
    pub stayed: bool,
    /// Whether the viewer could not join, or lost its connection before its time.
    pub lost: bool,
    /// Number of gifts that the viewer received in the stay.
    pub gifts: u64,
    /// Sum of [`mix`] over their positions, which identifies the set of gifts.
    pub gifts_mixed: u64,
    /// Number of chat messages that the viewer received in the stay.
    pub chats: u64,
}

/// Deliveries that the server owed to viewers, and those that went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// Number of stays that the balance covers.
    pub stays: u64,
    /// Stays that never began, or ended before their time.
    pub stays_lost: u64,
    /// Gift deliveries that the server owed to all viewers.
    pub gifts_owed: u64,
    /// Gift deliveries that were owed and did not arrive.
    pub gifts_lost: u64,
    /// Gift deliveries beyond the owed ones, as when a gift arrives twice.
    pub gifts_doubled: u64,
    /// Chat deliveries that the server owed to all viewers.
    pub chats_owed: u64,
    /// Chat deliveries that were owed and did not arrive, reported drops included.
    pub chats_lost: u64,
}

impl Balance {
    /// Adds the balance of another worker, whose viewers are others.
    pub fn add(&mut self, other: &Balance) {
        self.stays += other.stays;
        self.stays_lost += other.stays_lost;
        self.gifts_owed += other.gifts_owed;
        self.gifts_lost += other.gifts_lost;
        self.gifts_doubled += other.gifts_doubled;
        self.chats_owed += other.chats_owed;
        self.chats_lost += other.chats_lost;
    }
}

/// Spreads a position over 64 bits (SplitMix64), so that different sets have different sums.
#[must_use]
pub fn mix(position: u64) -> u64 {
    let mut z = position.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Ledger {
    /// Adds the messages that another worker knows; a message known to both counts once.
    pub fn add(&mut self, other: Ledger) {
        for (room, theirs) in other.rooms {
            let ours = self.rooms.entry(room).or_default();
            ours.gifts.extend(theirs.gifts);
            ours.chats.extend(theirs.chats);
        }
    }

    /// Compares what viewers received with what was sent.
    #[must_use]
    pub fn balance<'a>(&self, records: impl IntoIterator<Item = &'a Record>) -> Balance {
        let sums: BTreeMap<u32, RoomSums> =
            self.rooms.iter().map(|(room, ledger)| (*room, RoomSums::new(ledger))).collect();
        let mut balance = Balance::default();
        for record in records {
            balance.stays += 1;
            balance.stays_lost += u64::from(record.lost);
            let Some(sums) = sums.get(&record.room) else { continue };
            let end = if record.stayed { u64::MAX } else { record.last };
            let (owed, mixed) = sums.gifts(record.first, end);
            balance.gifts_owed += owed;
            let (mut lost, mut doubled) =
                (owed.saturating_sub(record.gifts), record.gifts.saturating_sub(owed));
            if lost == 0 && doubled == 0 && mixed != record.gifts_mixed {
                (lost, doubled) = (1, 1);
            }
            balance.gifts_lost += lost;
            balance.gifts_doubled += doubled;
            let owed = sums.chats(record.first, end);
            balance.chats_owed += owed;
            balance.chats_lost += owed.saturating_sub(record.chats);
        }
        balance.gifts_doubled += self.ids_doubled();
        balance
    }

    /// Number of gifts that have two positions.
    fn ids_doubled(&self) -> u64 {
        let doubled = |room: &RoomLedger| {
            let ids: BTreeSet<_> = room.gifts.values().collect();
            (room.gifts.len() - ids.len()) as u64
        };
        self.rooms.values().map(doubled).sum()
    }
}

/// Prefix sums over positions, so that a range costs two look-ups.
struct RoomSums {
    gifts: Vec<u64>,
    mixed: Vec<u64>,
    chats: Vec<u64>,
}

impl RoomSums {
    fn new(ledger: &RoomLedger) -> Self {
        let gifts: Vec<u64> = ledger.gifts.keys().copied().collect();
        let mut sum = 0_u64;
        let mut mixed = vec![0];
        mixed.extend(gifts.iter().map(|position| {
            sum = sum.wrapping_add(mix(*position));
            sum
        }));
        RoomSums { gifts, mixed, chats: ledger.chats.iter().copied().collect() }
    }

    /// Number and mixed sum of the gifts in (`after`, `to`].
    fn gifts(&self, after: u64, to: u64) -> (u64, u64) {
        let (from, end) = range(&self.gifts, after, to);
        ((end - from) as u64, self.mixed[end].wrapping_sub(self.mixed[from]))
    }

    fn chats(&self, after: u64, to: u64) -> u64 {
        let (from, end) = range(&self.chats, after, to);
        (end - from) as u64
    }
}

fn range(positions: &[u64], after: u64, to: u64) -> (usize, usize) {
    let from = positions.partition_point(|position| *position <= after);
    (from, positions.partition_point(|position| *position <= to).max(from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ledger(gifts: &BTreeSet<u64>) -> Ledger {
        let gifts = gifts.iter().map(|position| (*position, mix(*position))).collect();
        Ledger { rooms: BTreeMap::from([(0, RoomLedger { gifts, chats: BTreeSet::new() })]) }
    }

    fn record(first: u64, last: u64, stayed: bool, seen: &[u64]) -> Record {
        Record {
            first,
            last,
            stayed,
            gifts: seen.len() as u64,
            gifts_mixed: seen.iter().fold(0, |sum, position| sum.wrapping_add(mix(*position))),
            ..Record::default()
        }
    }

    proptest! {
        /// A viewer that received exactly its range has nothing missing; a viewer with a hole, a
        /// duplicate or a swap has.
        #[test]
        fn holes_and_doubles_are_found(
            gifts in prop::collection::btree_set(1..500_u64, 3..60), first in 0..250_u64, len in 0..250_u64,
            stayed in any::<bool>(),
        ) {
            let last = first + len;
            let ledger = ledger(&gifts);
            let end = if stayed { u64::MAX } else { last };
            let seen: Vec<u64> = gifts.iter().copied().filter(|at| *at > first && *at <= end).collect();
            let balance = |seen: &[u64]| ledger.balance(&[record(first, last, stayed, seen)]);
            let good = balance(&seen);
            prop_assert_eq!((good.gifts_lost, good.gifts_doubled), (0, 0));
            prop_assert_eq!(good.gifts_owed, seen.len() as u64);
            if let Some((gone, rest)) = seen.split_first() {
                prop_assert_eq!(balance(rest).gifts_lost, 1);
                let twice: Vec<u64> = seen.iter().chain([gone]).copied().collect();
                prop_assert_eq!(balance(&twice).gifts_doubled, 1);
                let swapped: Vec<u64> = rest.iter().chain([&1_000]).copied().collect();
                prop_assert_eq!((balance(&swapped).gifts_lost, balance(&swapped).gifts_doubled), (1, 1));
            }
        }
    }

    #[test]
    fn gift_at_two_positions_counts_as_doubled() {
        let mut ledger = ledger(&BTreeSet::from([1, 2]));
        ledger.rooms.get_mut(&0).unwrap().gifts.insert(3, mix(1));
        assert_eq!(ledger.balance(&[record(0, 3, true, &[1, 2, 3])]).gifts_doubled, 1);
    }
}
