//! The gate of a room in a stream: messages that close it there for every publish that does not know them.
//!
//! A publish names the last message that it expects on another subject, and the leader of the stream
//! refuses it when that subject has a newer one. A replicated stream checks one publish of a subject at a
//! time, so the gate has several lanes, of which each attempt takes one by chance. The gate itself is on a
//! subject that no publish is checked against: it is written under a condition, and never waits for posts.

use std::collections::HashMap;

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use barrage_protocol::Sequence;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::log::Topic;
use crate::nats::stream::names::Names;

/// Number of publishes of one room that a replicated stream checks at the same time, at most.
pub(crate) const LANES: u64 = 16;
/// Header that names another subject for the condition; servers have it since 2.11.
const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
/// Header of gates and lanes, by which readers tell them from messages.
pub(crate) const HEADER: &str = "Barrage-Gate";

/// The gate of a room in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gate {
    /// Position in the stream; zero without a gate. The lanes are right behind it.
    pub at: Sequence,
    /// Move that closed the room with this gate.
    pub order: Order,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Number of moves of the room, this one included.
    pub epoch: u64,
    /// Partition that the room goes to.
    pub to: u16,
}

/// What a refused publish means, for a process that knows the room after some number of moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The room has come back to this stream, or the gate has expired: the publish may expect this gate.
    Open,
    /// The room is closed here: its next place is to be found out, or made.
    Closed,
}

impl Gate {
    /// Returns what a publish that this gate refused means for a process that knows the room after so many moves.
    #[must_use]
    pub fn verdict(self, known_epoch: u64) -> Verdict {
        if self.order.epoch <= known_epoch { Verdict::Open } else { Verdict::Closed }
    }

    /// Returns the position of the last message of a lane.
    fn lane(self, lane: u64) -> u64 {
        if self.at == Sequence::ZERO { 0 } else { self.at.0 + lane }
    }

    /// Adds the condition that the gate is the newest one.
    pub(crate) fn expect(self, headers: &mut HeaderMap, subject: String, lane: u64) {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, self.lane(lane).to_string());
        headers.insert(EXPECTED_SUBJECT, subject);
    }
}

/// Gates that publishes of this process expect, of rooms that came back to a partition that they had left.
#[derive(Debug)]
pub(crate) struct Gates {
    expected: Mutex<HashMap<(u16, Topic), Gate>>,
    /// At this number all are forgotten; each costs one refused publish then.
    gates_max: usize,
}

impl Gates {
    pub(crate) fn new(gates_max: usize) -> Self {
        Gates { expected: Mutex::default(), gates_max: gates_max.max(1) }
    }

    /// Returns the gate to expect; the default for a room that never left the partition.
    pub(crate) fn expected(&self, partition: u16, topic: &Topic) -> Gate {
        let expected = self.expected.lock();
        if expected.is_empty() {
            return Gate::default();
        }
        expected.get(&(partition, topic.clone())).copied().unwrap_or_default()
    }

    /// Expects another gate from now on; returns whether it was another one.
    pub(crate) fn adopt(&self, partition: u16, topic: &Topic, gate: Gate) -> bool {
        let mut expected = self.expected.lock();
        if expected.len() >= self.gates_max {
            expected.clear();
        }
        expected.insert((partition, topic.clone()), gate).unwrap_or_default() != gate
    }
}

/// Returns subjects and headers of the messages of a new gate, to be stored as one batch. The first one has
/// the condition that `before` is the newest gate.
pub(crate) fn messages(
    names: &Names,
    partition: u16,
    topic: &Topic,
    before: Gate,
) -> Vec<(String, HeaderMap)> {
    let mut header = HeaderMap::new();
    header.insert(HEADER, "1");
    let mut first = header.clone();
    first.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, before.at.0.to_string());
    let gate = (names.gate(partition, topic), first);
    let lanes = (1..=LANES).map(|lane| (names.lane(partition, lane, topic), header.clone()));
    std::iter::once(gate).chain(lanes).collect()
}
