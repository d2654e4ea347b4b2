//! The scripts of a bad network that the clients in Rust and TypeScript share.

use std::collections::VecDeque;
use std::time::Duration;

use barrage_protocol::frame::RepairAnswer;
use barrage_protocol::{Class, frame::BatchMessage};
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    log: Vec<u64>,
    events: Vec<Happens>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Happens {
    Range(String, u64, u64),
    Answer(String, usize),
}

struct Viewer<'a> {
    log: &'a [u64],
    chain: RoomChain,
    asks: VecDeque<(u64, u64)>,
    delivered: Vec<u64>,
}

impl Viewer<'_> {
    fn batch(&self, previous: u64, sequence: u64, repair: Option<RepairAnswer>) -> Batch {
        let message = |sequence: &u64| BatchMessage {
            sequence: Sequence(*sequence),
            class: Class::Gift,
            body: serde_json::value::RawValue::from_string("{}".into()).unwrap(),
        };
        let inside = self.log.iter().filter(|at| **at > previous && **at <= sequence);
        Batch {
            room: "r".parse().unwrap(),
            previous: Sequence(previous),
            sequence: Sequence(sequence),
            messages: inside.map(message).collect(),
            left_out: Default::default(),
            pulse: None,
            repair,
            state: None,
        }
    }

    fn take(&mut self, batch: Batch) {
        for step in self.chain.take(batch, Duration::ZERO) {
            match step {
                Step::Deliver(batch) => self.delivered.extend(batch.messages.iter().map(|it| it.sequence.0)),
                Step::Ask { after, before } => self.asks.push_back((after.0, before.0)),
                Step::Lost { up_to } => panic!("{up_to} is given up"),
            }
        }
    }

    /// Answers a range from the log, and returns where the answer ends.
    fn answer(&mut self, after: u64, before: u64, messages_max: usize) -> u64 {
        let inside: Vec<_> = self.log.iter().filter(|at| **at > after && **at < before).collect();
        let newest = self.log.last().copied().unwrap_or_default();
        let end = match inside.get(messages_max) {
            Some(_) => *inside[messages_max - 1],
            None => newest.min(before - 1).max(after),
        };
        let complete = RepairAnswer { outcome: RepairOutcome::Complete, skipped: 0 };
        self.take(self.batch(after, end, Some(complete)));
        end
    }
}

#[test]
fn whole_log_is_delivered_once_and_in_order_by_the_shared_scripts() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../vectors/chain.json")).unwrap();
    assert!(vectors.cases.len() >= 40);
    for Case { name, log, events } in vectors.cases {
        let chain = RoomChain::new(Sequence::ZERO);
        let mut viewer = Viewer { log: &log, chain, asks: VecDeque::new(), delivered: Vec::new() };
        for event in events {
            match event {
                Happens::Range(kind, previous, sequence) if kind == "batch" => {
                    viewer.take(viewer.batch(previous, sequence, None));
                }
                Happens::Range(_, newest, part) => {
                    viewer.asks.clear();
                    viewer.chain.resumed(Sequence(newest), Duration::ZERO);
                    let mut after = viewer.chain.position().0;
                    while after < newest {
                        after = viewer.answer(after, newest + 1, part as usize);
                    }
                }
                Happens::Answer(kind, messages_max) => {
                    assert_eq!(kind, "answer", "{name}");
                    if let Some((after, before)) = viewer.asks.pop_front() {
                        viewer.answer(after, before, messages_max);
                    }
                }
            }
        }
        while let Some((after, before)) = viewer.asks.pop_front() {
            viewer.answer(after, before, usize::MAX >> 1);
        }
        assert_eq!(viewer.delivered, log, "{name}");
        assert!(!viewer.chain.is_waiting(), "{name}");
    }
}
