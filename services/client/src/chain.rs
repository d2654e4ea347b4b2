//! A room's chain on the receiving side: finds gaps, holds what is newer until a
//! gap is mended, drops what came before. Pure: time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::frame::{Batch, RepairOutcome};

/// Batches held while a gap is mended; beyond, the gap is given up.
const HELD_MAX: usize = 512;
/// An unanswered repair is asked for again after this.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Asks for one gap; then it is given up.
const ASKS_MAX: u32 = 3;

/// What to do after a batch or a tick, in this order.
#[derive(Debug)]
pub enum Step {
    /// Show these messages and sums: in chain order, nothing twice.
    Deliver(Batch),
    /// Ask the server for the range (`after`, `before`).
    Ask {
        /// Last position seen.
        after: Sequence,
        /// First position behind the gap.
        before: Sequence,
    },
    /// The gap up to this position is given up.
    Lost {
        /// The chain goes on behind it.
        up_to: Sequence,
    },
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    before: Sequence,
    at: Duration,
    times: u32,
}

/// One room's chain.
#[derive(Debug)]
pub struct RoomChain {
    position: Sequence,
    held: BTreeMap<Sequence, Batch>,
    asked: Option<Asked>,
}

impl RoomChain {
    /// A chain that has seen everything up to `position`.
    #[must_use]
    pub fn new(position: Sequence) -> Self {
        RoomChain { position, held: BTreeMap::new(), asked: None }
    }

    /// Everything up to here was delivered or given up.
    #[must_use]
    pub fn position(&self) -> Sequence {
        self.position
    }

    /// A new connection begins: what was asked on the old one is asked anew.
    pub fn reconnected(&mut self) {
        self.asked = None;
    }

    /// Takes a batch.
    pub fn take(&mut self, batch: Batch, now: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(repair) = batch.repair {
            if repair.outcome == RepairOutcome::Gone
                && batch.sequence < self.position
                && batch.previous <= batch.sequence
            {
                // Another history, whose newest is older than ours: start at its end.
                self.position = batch.previous;
                self.held.clear();
            }
            self.asked = None;
        }
        if batch.previous > self.position {
            self.hold(batch, now, &mut steps);
        } else {
            self.deliver(batch, &mut steps);
        }
        self.go_on(now, &mut steps);
        steps
    }

    /// Time passes: asks again, or gives a gap up.
    pub fn tick(&mut self, now: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.asked.is_some_and(|asked| now.saturating_sub(asked.at) >= ASK_AGAIN) {
            self.ask(now, &mut steps);
        }
        self.go_on(now, &mut steps);
        steps
    }

    fn hold(&mut self, batch: Batch, now: Duration, steps: &mut Vec<Step>) {
        self.held.insert(batch.previous, batch);
        if self.held.len() > HELD_MAX {
            self.give_up(steps);
        } else if self.asked.is_none() {
            self.ask(now, steps);
        }
    }

    fn ask(&mut self, now: Duration, steps: &mut Vec<Step>) {
        let Some(first) = self.held.keys().next() else {
            self.asked = None;
            return;
        };
        let before = Sequence(first.0 + 1);
        let times = self.asked.filter(|asked| asked.before == before).map_or(0, |asked| asked.times) + 1;
        if times > ASKS_MAX {
            self.give_up(steps);
            return;
        }
        self.asked = Some(Asked { before, at: now, times });
        steps.push(Step::Ask { after: self.position, before });
    }

    fn give_up(&mut self, steps: &mut Vec<Step>) {
        self.asked = None;
        if let Some(first) = self.held.keys().next().copied() {
            self.position = first;
            steps.push(Step::Lost { up_to: first });
        }
    }

    /// Delivers what is held and has become next; asks for the gap that is left.
    fn go_on(&mut self, now: Duration, steps: &mut Vec<Step>) {
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() > self.position {
                if self.asked.is_none() {
                    self.ask(now, steps);
                }
                // Given up just now: the first one held is next.
                if self.held.keys().next().is_some_and(|first| *first > self.position) {
                    return;
                }
                continue;
            }
            let batch = entry.remove();
            self.deliver(batch, steps);
        }
    }

    fn deliver(&mut self, mut batch: Batch, steps: &mut Vec<Step>) {
        let position = self.position;
        if batch.sequence <= position && !batch.messages.is_empty() && batch.repair.is_none() {
            // Seen whole: its sums were shown too.
            return;
        }
        if batch.previous < position {
            // Partly seen: what it left out cannot be split, and was counted before.
            batch.left_out = Default::default();
        }
        batch.messages.retain(|message| message.sequence > position);
        self.position = position.max(batch.sequence);
        steps.push(Step::Deliver(batch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_protocol::Class;
    use barrage_protocol::frame::{BatchMessage, RepairAnswer};
    use proptest::prelude::*;

    fn batch(from: u64, to: u64, repair: bool) -> Batch {
        Batch {
            room: "r".parse().unwrap(),
            previous: Sequence(from),
            sequence: Sequence(to),
            messages: (from + 1..=to)
                .map(|n| BatchMessage {
                    sequence: Sequence(n),
                    class: Class::Gift,
                    body: serde_json::value::RawValue::from_string("{}".into()).unwrap(),
                })
                .collect(),
            left_out: Default::default(),
            pulse: None,
            repair: repair.then_some(RepairAnswer { outcome: RepairOutcome::Complete, skipped: 0 }),
        }
    }

    fn seen(steps: &[Step]) -> Vec<u64> {
        let batches = steps.iter().filter_map(|step| match step {
            Step::Deliver(batch) => Some(batch),
            _ => None,
        });
        batches.flat_map(|b| b.messages.iter().map(|m| m.sequence.0)).collect()
    }

    proptest! {
        /// Under any loss, doubling and reordering, with repairs that answer late:
        /// strictly increasing, and in the end everything is there.
        #[test]
        fn every_gift_once_in_order(
            sizes in prop::collection::vec(1_u64..5, 1..40),
            fates in prop::collection::vec(0_u8..5, 40),
            swaps in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut all = Vec::new();
            let mut end = 0;
            for size in sizes {
                all.push((end, end + size));
                end += size;
            }
            let mut arriving: Vec<_> = all.iter().zip(&fates).flat_map(|(b, fate)| match fate {
                0 => vec![],
                1 => vec![*b, *b],
                _ => vec![*b],
            }).collect();
            if !arriving.is_empty() {
                for swap in swaps {
                    let at = swap.index(arriving.len());
                    let next = (at + 1) % arriving.len();
                    arriving.swap(at, next);
                }
            }
            // The last one always arrives in the end, or nothing would show the gap.
            arriving.push((end, end + 1));
            let mut chain = RoomChain::new(Sequence(0));
            let mut out = Vec::new();
            let mut now = Duration::ZERO;
            let mut asks = Vec::new();
            let mut take = |steps: Vec<Step>, asks: &mut Vec<(u64, u64)>| {
                out.extend(seen(&steps));
                for step in steps {
                    match step {
                        Step::Ask { after, before } => asks.push((after.0, before.0)),
                        Step::Lost { .. } => panic!("answered gaps are not lost"),
                        Step::Deliver(_) => {}
                    }
                }
            };
            for (i, (from, to)) in arriving.into_iter().enumerate() {
                now += Duration::from_millis(1);
                take(chain.take(batch(from, to, false), now), &mut asks);
                if i % 3 == 0 && let Some((after, before)) = asks.pop() {
                    take(chain.take(batch(after, before - 1, true), now), &mut asks);
                }
            }
            while let Some((after, before)) = asks.pop() {
                take(chain.take(batch(after, before - 1, true), now), &mut asks);
            }
            prop_assert_eq!(out, (1..=end + 1).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_gap_that_nobody_mends_is_given_up() {
        let mut chain = RoomChain::new(Sequence(3));
        let steps = chain.take(batch(7, 9, false), Duration::ZERO);
        assert!(matches!(steps[..], [Step::Ask { after: Sequence(3), before: Sequence(8) }]));
        assert!(chain.tick(Duration::from_secs(1)).is_empty());
        assert!(matches!(chain.tick(Duration::from_secs(2))[..], [Step::Ask { .. }]));
        assert!(matches!(chain.tick(Duration::from_secs(4))[..], [Step::Ask { .. }]));
        let steps = chain.tick(Duration::from_secs(6));
        assert!(matches!(steps[0], Step::Lost { up_to: Sequence(7) }));
        assert_eq!(seen(&steps), [8, 9]);
    }

    #[test]
    fn a_repair_cut_short_is_asked_on() {
        let mut chain = RoomChain::new(Sequence(0));
        chain.take(batch(10, 11, false), Duration::ZERO);
        let steps = chain.take(batch(0, 4, true), Duration::ZERO);
        assert!(
            matches!(steps[..], [Step::Deliver(_), Step::Ask { after: Sequence(4), before: Sequence(11) }]),
            "{steps:?}"
        );
    }
}
