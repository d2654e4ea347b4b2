//! One viewer's position in the chain of its room, and what it received.

use std::rc::Rc;

use barrage_protocol::Class;
use barrage_protocol::frame::RepairOutcome;

use super::seen::SeenBatch;
use crate::clock::Moment;
use crate::measure::interval::Interval;
use crate::measure::ledger::{Record, mix};

/// Batches that are kept while a gap is repaired; beyond, the gap is given up.
const HELD_MAX: usize = 64;
/// Time after which an unanswered repair is given up, in seconds.
const REPAIR_SECS_MAX: u64 = 5;

/// Whether the lateness of a delivery counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lateness {
    /// The lateness is the server's, and counts.
    Measured,
    /// The load tester reads slowly or had reset the connection, so the lateness does not count.
    Ours,
}

/// A repair request: the range (`after`, `before`) is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) after: u64,
    pub(crate) before: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Track {
    pub(crate) record: Record,
    /// Allocated only while there is a gap.
    held: Vec<Rc<SeenBatch>>,
    asked: Option<Moment>,
}

impl Track {
    /// Begins the chain at the position of the hello.
    pub(crate) fn begin(&mut self, sequence: u64) {
        (self.record.first, self.record.last) = (sequence, sequence);
    }

    /// Notes a new connection: kept batches come again with the resume.
    pub(crate) fn reconnected(&mut self) {
        self.held = Vec::new();
        self.asked = None;
    }

    /// Takes a batch that arrived at `now`.
    pub(crate) fn take(
        &mut self,
        batch: &Rc<SeenBatch>,
        now: Moment,
        lateness: Lateness,
        interval: &mut Interval,
    ) -> Option<Ask> {
        match batch.repair {
            Some((outcome, skipped)) => {
                interval.skipped += skipped;
                self.deliver(batch, now, lateness, interval);
                if outcome == RepairOutcome::Gone {
                    // The server keeps nothing older, or the room has another history: continue
                    // from here.
                    self.record.last = batch.sequence;
                    return self.go_on(now, lateness, interval, Gap::GivenUp);
                }
                self.asked = None;
                self.go_on(now, lateness, interval, Gap::Open)
            }
            None if batch.previous <= self.record.last => {
                self.deliver(batch, now, lateness, interval);
                None
            }
            None => {
                interval.gaps += u64::from(self.held.is_empty());
                self.held.push(Rc::clone(batch));
                let late = self.asked.is_some_and(|at| now.since(at).as_secs() >= REPAIR_SECS_MAX);
                let gap = if late || self.held.len() > HELD_MAX { Gap::GivenUp } else { Gap::Open };
                self.go_on(now, lateness, interval, gap)
            }
        }
    }

    /// Delivers the kept batches as far as the chain reaches.
    fn go_on(&mut self, now: Moment, lateness: Lateness, interval: &mut Interval, gap: Gap) -> Option<Ask> {
        let held = std::mem::take(&mut self.held);
        for batch in held {
            if self.held.is_empty() && (batch.previous <= self.record.last || gap == Gap::GivenUp) {
                self.deliver(&batch, now, lateness, interval);
            } else {
                self.held.push(batch);
            }
        }
        let Some(next) = self.held.first() else {
            self.asked = None;
            return None;
        };
        let ask = Ask { after: self.record.last, before: next.previous + 1 };
        self.asked.is_none().then(|| {
            self.asked = Some(now);
            ask
        })
    }

    fn deliver(&mut self, batch: &SeenBatch, now: Moment, lateness: Lateness, interval: &mut Interval) {
        interval.likes += batch.likes;
        if batch.sequence <= self.record.last {
            return;
        }
        interval.left_out += batch.left_out;
        for message in batch.messages.iter().filter(|message| message.sequence > self.record.last) {
            interval.delivered.count(message.class, 1);
            let latency = match message.class {
                Class::Chat => {
                    self.record.chats += 1;
                    &mut interval.chat
                }
                Class::Gift => {
                    self.record.gifts += 1;
                    self.record.gifts_mixed = self.record.gifts_mixed.wrapping_add(mix(message.sequence));
                    &mut interval.gift
                }
                Class::Signal | Class::Pulse => continue,
            };
            if let (Some(intended), Lateness::Measured) = (message.intended, lateness) {
                latency.record(now.since(intended));
            }
        }
        self.record.last = batch.sequence;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    Open,
    GivenUp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::seen::SeenMessage;

    fn batch(previous: u64, sequence: u64, repair: Option<RepairOutcome>) -> Rc<SeenBatch> {
        let message =
            |sequence| SeenMessage { sequence, class: Class::Gift, intended: Some(Moment(1_000_000)) };
        Rc::new(SeenBatch {
            previous,
            sequence,
            messages: (previous + 1..=sequence).map(message).collect(),
            left_out: 0,
            likes: 0,
            repair: repair.map(|outcome| (outcome, 0)),
        })
    }

    struct Viewer(Track, Interval);

    impl Viewer {
        fn at(sequence: u64) -> Self {
            let mut track = Track::default();
            track.begin(sequence);
            Viewer(track, Interval::default())
        }

        fn take(&mut self, previous: u64, sequence: u64, repair: Option<RepairOutcome>) -> Option<Ask> {
            let now = Moment(3_000_000);
            self.0.take(&batch(previous, sequence, repair), now, Lateness::Measured, &mut self.1)
        }
    }

    #[test]
    fn chain_counts_each_message_once_from_its_intended_time() {
        let mut viewer = Viewer::at(5);
        assert_eq!(viewer.take(3, 8, None), None);
        assert_eq!(viewer.take(3, 8, None), None);
        assert_eq!((viewer.0.record.gifts, viewer.1.delivered.gift, viewer.1.gift.count()), (3, 3, 3));
        assert_eq!(viewer.1.gift.quantile_ms(1.0).unwrap().round(), 2.0);
    }

    #[test]
    fn gap_is_requested_once_and_closed_in_order() {
        let mut viewer = Viewer::at(0);
        assert_eq!(viewer.take(3, 5, None), Some(Ask { after: 0, before: 4 }));
        assert_eq!(viewer.take(5, 7, None), None);
        assert_eq!(viewer.0.record.gifts, 0);
        // Only a part of the range came: the rest is requested.
        assert_eq!(viewer.take(0, 2, Some(RepairOutcome::Complete)), Some(Ask { after: 2, before: 4 }));
        assert_eq!(viewer.take(2, 3, Some(RepairOutcome::Complete)), None);
        assert_eq!((viewer.0.record.gifts, viewer.0.record.last, viewer.1.gaps), (7, 7, 1));
    }

    #[test]
    fn gap_that_cannot_be_repaired_is_given_up() {
        let mut viewer = Viewer::at(0);
        assert!(viewer.take(3, 5, None).is_some());
        assert_eq!(viewer.take(3, 3, Some(RepairOutcome::Gone)), None);
        assert_eq!((viewer.0.record.gifts, viewer.0.record.last), (2, 5));
        let mut stuck = Viewer::at(0);
        for n in 1..200 {
            stuck.take(n * 2, n * 2 + 2, None);
        }
        assert!(stuck.0.record.last > 300, "{:?}", stuck.0.record);
    }

    /// The server reports that the chain is closed, and one viewer still lacks a gift.
    #[test]
    fn gift_that_one_viewer_did_not_receive_is_lost() {
        use crate::worker::seen::{Said, Seen};
        use barrage_ws::Opcode;

        let gift = r#"{"sequence":2,"class":"gift","body":{"type":"gift","id":"lt.5.1.1.1"}}"#;
        let frame = |messages: &str| {
            format!(r#"{{"type":"batch","room":"demo","previous":1,"sequence":3,"messages":[{messages}]}}"#)
        };
        let mut seen = Seen::new(1);
        let mut records = Vec::new();
        for messages in [gift, ""] {
            let mut viewer = Viewer::at(1);
            let said = seen.read(0, Opcode::Text, frame(messages).as_bytes()).unwrap();
            let Said::Batch(batch) = said else { panic!("no batch") };
            viewer.0.take(&batch, Moment(9), Lateness::Measured, &mut viewer.1);
            records.push(Record { stayed: true, ..viewer.0.record });
        }
        let balance = seen.ledger.balance(&records);
        assert_eq!((balance.gifts_owed, balance.gifts_lost, balance.gifts_doubled), (2, 1, 0));
    }
}
