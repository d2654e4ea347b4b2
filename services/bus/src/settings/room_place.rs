//! Where the chain of a room is stored: the partition that it is in, and those that it was in before.
//!
//! A room that moves closes its chain in one stream and goes on in another one. Its positions are those of
//! the stream plus a number that is fixed when the chain begins there, so that positions of a room never
//! repeat and never fall, whatever the streams' own numbers are. Pure.

use std::collections::{BTreeMap, BTreeSet};

use barrage_protocol::Sequence;
use serde::{Deserialize, Serialize};

/// Maximum number of segments that are remembered. A repair from before the oldest is answered `gone`.
const SEGMENTS_MAX: usize = 8;

/// How positions of a room follow from positions of its stream, for one stay in one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Number of moves of the room before this stay. Zero for a room that never moved.
    pub epoch: u64,
    /// Position of the room minus position of the stream.
    pub lift: i64,
    /// Positions of this stay are above this one, and those of earlier stays are not.
    pub above: Sequence,
    /// Position of the newest message before this stay; zero when it was not known any more.
    pub previous: Sequence,
}

impl Chain {
    /// Returns whether the room never moved. Its positions are those of the stream then.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.epoch == 0
    }

    /// Returns the position of the room for a position of the stream.
    #[must_use]
    pub fn position(&self, stored: Sequence) -> Sequence {
        Sequence(stored.0.saturating_add_signed(self.lift))
    }

    /// Returns the position of the stream for a position of the room; the last one before the stay for
    /// positions of earlier stays.
    #[must_use]
    pub fn stored(&self, position: Sequence) -> Sequence {
        Sequence(position.max(self.above).0.saturating_add_signed(self.lift.saturating_neg()))
    }

    /// Returns the position of the room's newest message, given the stream's position of it. An older one
    /// in the same stream may be of an earlier stay, which another chain counts.
    #[must_use]
    pub fn newest(&self, stored: Sequence) -> Sequence {
        let position = self.position(stored);
        if stored > Sequence::ZERO && position > self.above { position } else { self.previous }
    }
}

/// One stay of a room in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Partition that holds the messages of the stay.
    pub partition: u16,
    /// Positions of the stay, as its messages name them.
    #[serde(flatten)]
    pub chain: Chain,
    /// Unix time at which the stay began, in milliseconds of the clock of the process that noted it.
    pub since_ms: u64,
}

impl Segment {
    /// Returns the stay of a room that never moved.
    #[must_use]
    pub fn first(partition: u16) -> Self {
        Segment { partition, chain: Chain::default(), since_ms: 0 }
    }
}

/// What is known of a stay when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Partition that the room goes to.
    pub to: u16,
    /// Position of the fence in the old stream: no message of the room is behind it.
    pub gate: Sequence,
    /// Position of the room's newest message in the old stream; zero when it holds none.
    pub last: Sequence,
    /// A position that the new stream had reached before the room may be written there.
    pub reached: Sequence,
}

/// A part of a room's chain to read: one stay, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Partition that holds the messages of the stay.
    pub partition: u16,
    /// Positions of the stay, as its messages name them.
    pub chain: Chain,
    /// Position of the last message of the stay; `None` while it lasts.
    pub last: Option<Sequence>,
}

/// The stays of a room, oldest first, of which the last one lasts. Each is fixed once it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomPlace {
    segments: Vec<Segment>,
}

impl RoomPlace {
    /// Returns the place of a room that never moved.
    #[must_use]
    pub fn first(partition: u16) -> Self {
        RoomPlace { segments: vec![Segment::first(partition)] }
    }

    /// Returns the stay that lasts.
    #[must_use]
    pub fn current(&self) -> Segment {
        self.segments.last().copied().unwrap_or(Segment::first(0))
    }

    /// Returns the number of moves of the room.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.current().chain.epoch
    }

    /// Returns the place after a move.
    #[must_use]
    pub fn moved(&self, closing: Closing, now_ms: u64) -> RoomPlace {
        let old = self.current().chain;
        let above = old.position(closing.gate);
        let chain = Chain {
            epoch: old.epoch + 1,
            lift: above.0.cast_signed().saturating_sub(closing.reached.0.cast_signed()),
            above,
            previous: old.newest(closing.last),
        };
        let oldest = (self.segments.len() + 1).saturating_sub(SEGMENTS_MAX);
        let mut segments = self.segments[oldest..].to_vec();
        segments.push(Segment { partition: closing.to, chain, since_ms: now_ms });
        RoomPlace { segments }
    }

    /// Returns the parts of the chain that hold messages after a position, in order. The last one is the
    /// stay that lasts, whether it holds messages or not.
    #[must_use]
    pub fn legs(&self, after: Sequence) -> Vec<Leg> {
        let ends = self.segments.iter().skip(1).map(|next| Some(next.chain.previous)).chain([None]);
        let leg = |(it, last): (&Segment, Option<Sequence>)| {
            let is_due = last.is_none_or(|last| last > after && last > it.chain.above);
            is_due.then_some(Leg { partition: it.partition, chain: it.chain, last })
        };
        self.segments.iter().zip(ends).filter_map(leg).collect()
    }

    /// Returns whether messages after a position may be missing among the legs.
    #[must_use]
    pub fn is_cut(&self, after: Sequence) -> bool {
        self.cut(after).is_some()
    }

    /// Returns the position up to which messages after a position are no longer known: their stay is forgotten,
    /// or all messages of their stay had left the stream before the room did.
    pub(crate) fn cut(&self, after: Sequence) -> Option<Sequence> {
        let forgotten = self.segments.first().map(|first| first.chain.above).filter(|above| after < *above);
        let left = |pair: &[Segment]| {
            let (stay, next) = (pair[0].chain, pair[1].chain);
            let is_left = next.previous <= stay.above && stay.above < after && after < next.above;
            is_left.then_some(next.above)
        };
        forgotten.or_else(|| self.segments.windows(2).find_map(left))
    }

    /// Returns the partitions of the stays that are over.
    #[must_use]
    pub fn former(&self) -> BTreeSet<u16> {
        self.segments.windows(2).map(|pair| pair[0].partition).collect()
    }

    /// Returns the position up to which an archive has the room without a gap; `None` when it has all stays that
    /// are over. `marks` are its positions in the partitions, zero for those that are absent.
    #[must_use]
    pub fn archived_to(&self, marks: &BTreeMap<u16, Sequence>) -> Option<Sequence> {
        self.segments.windows(2).find_map(|pair| {
            let (stay, last) = (pair[0], pair[1].chain.previous);
            let mark = marks.get(&stay.partition).copied().unwrap_or_default();
            let archived_to = stay.chain.position(mark).max(stay.chain.above);
            (archived_to < last).then_some(archived_to)
        })
    }

    /// Returns whether an archive must wait with a message that it has read from a partition, because it does not
    /// have all messages of the room's earlier stays in other partitions. `reached` are its positions there.
    #[must_use]
    pub fn is_early(&self, position: Sequence, partition: u16, reached: &BTreeMap<u16, Sequence>) -> bool {
        self.segments.windows(2).any(|pair| {
            let (stay, next) = (pair[0], pair[1].chain);
            let is_before = stay.partition != partition && position > next.above;
            let mark = reached.get(&stay.partition).copied().unwrap_or_default();
            is_before && next.previous > stay.chain.above && stay.chain.position(mark) < next.previous
        })
    }

    /// Returns whether a message of a stay, named by its number of moves, is behind the gate that ended the stay.
    /// Its position may be that of another message.
    pub(crate) fn is_stray(&self, epoch: u64, position: Sequence) -> bool {
        let next = self.segments.iter().find(|next| next.chain.epoch > epoch);
        next.is_some_and(|next| position > next.chain.above)
    }

    /// Returns whether a further move would forget a stay whose ids must still be known.
    #[must_use]
    pub fn is_full(&self, now_ms: u64, window_ms: u64) -> bool {
        let oldest_end_ms = self.segments.get(1).map_or(0, |next| next.since_ms);
        self.segments.len() >= SEGMENTS_MAX && now_ms.saturating_sub(oldest_end_ms) <= window_ms
    }

    /// Returns the other partitions that may have accepted an id within a time, newest first. Of a clock
    /// that runs behind, the time counts as not over.
    #[must_use]
    pub fn left_since(&self, now_ms: u64, window_ms: u64) -> Vec<u16> {
        let current = self.current().partition;
        let mut left: Vec<u16> = Vec::new();
        for pair in self.segments.windows(2).rev() {
            if now_ms.saturating_sub(pair[1].since_ms) > window_ms {
                break;
            }
            let partition = pair[0].partition;
            if partition != current && !left.contains(&partition) {
                left.push(partition);
            }
        }
        left
    }
}

#[cfg(test)]
#[path = "room_place_tests.rs"]
mod tests;
