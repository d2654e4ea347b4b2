use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use barrage_protocol::frame::{ServerFrame, Traced};
use barrage_protocol::{RoomId, Sequence, TraceContext};
use barrage_trace::{Kind, Span, Tracer};

use crate::room::{BatchTrace, SharedBatch};
use crate::viewer::Viewer;

/// Viewers of one shard that acknowledge sampled messages; further ones are not asked.
const VIEWERS_MAX: usize = 64;
/// Batches that wait for acknowledgements; the oldest are forgotten.
const OFFERED_MAX: usize = 256;
/// Batches for which the shard asks in one second. A client may send 20 frames a second.
const BATCHES_PER_S_MAX: u32 = 5;
const SECOND_NS: u64 = 1_000_000_000;

/// A traced batch that viewers were asked to acknowledge.
struct Offered {
    room: RoomId,
    sequence: Sequence,
    /// Span of the write, the parent of the acknowledgements.
    write: TraceContext,
    sent_ns: u64,
    /// Acknowledgements that may still come: one from each viewer that was asked.
    expected: usize,
}

/// Acknowledgements of sampled messages: the `ack` spans of one shard. Only viewers that asked for it
/// are part of it, so that other viewers and their batches stay as they are.
#[derive(Default)]
pub(super) struct TraceAcks {
    viewers: Vec<Weak<Viewer>>,
    offered: VecDeque<Offered>,
    second: u64,
    in_second: u32,
}

impl TraceAcks {
    /// Adds a viewer that wants to acknowledge.
    pub(super) fn add(&mut self, viewer: &Rc<Viewer>) {
        self.viewers.retain(|known| known.upgrade().is_some_and(|known| !Rc::ptr_eq(&known, viewer)));
        if self.viewers.len() < VIEWERS_MAX {
            self.viewers.push(Rc::downgrade(viewer));
        }
    }

    /// Sends the viewers of the batch's room a `traced` frame behind the batch.
    pub(super) fn offer(&mut self, batch: &SharedBatch, trace: &BatchTrace, now_ns: u64) {
        if self.viewers.is_empty() || !self.is_within_rate(now_ns) {
            return;
        }
        let write = trace.write_context();
        let frame = ServerFrame::Traced(Traced { sequence: batch.sequence, trace: write.trace });
        let mut expected = 0;
        for viewer in self.viewers.iter().filter_map(Weak::upgrade) {
            if viewer.room.borrow().as_ref().is_some_and(|room| room.id == batch.room) {
                viewer.send(&frame);
                expected += 1;
            }
        }
        if expected == 0 {
            return;
        }
        if self.offered.len() == OFFERED_MAX {
            self.offered.pop_front();
        }
        let (room, sequence) = (batch.room.clone(), batch.sequence);
        self.offered.push_back(Offered { room, sequence, write, sent_ns: now_ns, expected });
    }

    fn is_within_rate(&mut self, now_ns: u64) -> bool {
        let second = now_ns / SECOND_NS;
        if self.second != second {
            (self.second, self.in_second) = (second, 0);
        }
        self.in_second += 1;
        self.in_second <= BATCHES_PER_S_MAX
    }

    /// Records the span of an acknowledgement. One that no viewer was asked for is ignored.
    pub(super) fn acknowledge(&mut self, tracer: &Tracer, room: &RoomId, sequence: Sequence) {
        let asked = |offered: &&mut Offered| offered.sequence == sequence && offered.room == *room;
        let Some(offered) = self.offered.iter_mut().rev().find(asked) else { return };
        if offered.expected == 0 {
            return;
        }
        offered.expected -= 1;
        let context = TraceContext { trace: offered.write.trace, span: tracer.span_id() };
        let span = Span::new("ack", Kind::Internal, context, Some(offered.write.span))
            .over(offered.sent_ns, tracer.now_ns())
            .with("barrage.room", room.to_string())
            .with("barrage.sequence", sequence.0);
        tracer.record(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_asks_for_five_batches_a_second() {
        let mut acks = TraceAcks::default();
        let asked = |acks: &mut TraceAcks, second| {
            (0..9).filter(|n| acks.is_within_rate(second * SECOND_NS + n)).count()
        };
        assert_eq!((asked(&mut acks, 1), asked(&mut acks, 2)), (5, 5));
    }

    #[test]
    fn an_acknowledgement_counts_once_for_each_viewer_that_was_asked() {
        let mut acks = TraceAcks::default();
        let (room, tracer) = ("r".parse().unwrap(), Tracer::default());
        let write = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let write = write.parse::<barrage_protocol::Traceparent>().unwrap().context;
        acks.offered.push_back(Offered {
            room: "r".parse().unwrap(),
            sequence: Sequence(4),
            write,
            sent_ns: 0,
            expected: 1,
        });
        acks.acknowledge(&tracer, &"other".parse().unwrap(), Sequence(4));
        acks.acknowledge(&tracer, &room, Sequence(5));
        assert_eq!(acks.offered[0].expected, 1);
        acks.acknowledge(&tracer, &room, Sequence(4));
        acks.acknowledge(&tracer, &room, Sequence(4));
        assert_eq!(acks.offered[0].expected, 0);
    }
}
