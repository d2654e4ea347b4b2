//! Records of all rooms in the order of their arrival. Pure.

use std::collections::VecDeque;

/// One record in the ring, with its time and room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kept<R> {
    pub(crate) at_ms: u64,
    /// Hash of the room's name; another process has another hash for it.
    pub(crate) room: u64,
    pub(crate) record: R,
}

/// A ring of records that overwrites the oldest. Its memory is reserved at the start.
#[derive(Debug)]
pub(crate) struct Ring<R> {
    kept: VecDeque<Kept<R>>,
    records_max: usize,
    /// Time of the newest overwritten record: later records are complete.
    forgotten_ms: Option<u64>,
}

impl<R: Copy> Ring<R> {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let records_max = bytes_max / size_of::<Kept<R>>();
        Ring { kept: VecDeque::with_capacity(records_max), records_max, forgotten_ms: None }
    }

    pub(crate) fn push(&mut self, kept: Kept<R>) {
        if self.records_max == 0 {
            return;
        }
        if self.kept.len() >= self.records_max {
            let oldest = self.kept.pop_front();
            self.forgotten_ms = oldest.map(|oldest| oldest.at_ms).max(self.forgotten_ms);
        }
        self.kept.push_back(kept);
    }

    /// Returns a room's records since a time, oldest first, and whether records of that time were
    /// overwritten.
    pub(crate) fn of(&self, room: u64, since_ms: u64) -> (Vec<Kept<R>>, bool) {
        let of_room = self.kept.iter().filter(|kept| kept.room == room && kept.at_ms >= since_ms);
        (of_room.copied().collect(), self.forgotten_ms.is_some_and(|forgotten| forgotten >= since_ms))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Small = Kept<u32>;

    proptest! {
        /// Compares with a list of all records.
        #[test]
        fn the_ring_holds_the_newest_records_of_every_room(
            pushes in prop::collection::vec((0_u64..4, 0_u64..50), 0..300), records_max in 0_usize..100,
            since_ms in 0_u64..4_000,
        ) {
            let mut ring = Ring::new(records_max * size_of::<Small>() + 3);
            let (mut all, mut now_ms) = (Vec::new(), 0);
            for (n, (room, gap_ms)) in pushes.into_iter().enumerate() {
                now_ms += gap_ms;
                let kept = Kept { at_ms: now_ms, room, record: n as u32 };
                ring.push(kept);
                all.push(kept);
            }
            let newest = &all[all.len().saturating_sub(records_max)..];
            let is_cut = all[..all.len() - newest.len()].iter().any(|kept| kept.at_ms >= since_ms);
            for room in 0..4 {
                let wanted: Vec<_> =
                    newest.iter().filter(|kept| kept.room == room && kept.at_ms >= since_ms).copied().collect();
                let (got, cut) = ring.of(room, since_ms);
                prop_assert_eq!(got, wanted);
                prop_assert_eq!(cut, is_cut && records_max > 0);
            }
        }
    }

    #[test]
    fn the_ring_never_allocates_after_its_creation() {
        let mut ring = Ring::new(1_000 * size_of::<Small>());
        let reserved = ring.kept.capacity();
        for at_ms in 0..5_000 {
            ring.push(Kept { at_ms, room: 0, record: 0 });
        }
        assert_eq!((ring.kept.capacity(), ring.kept.len()), (reserved, 1_000));
    }
}
