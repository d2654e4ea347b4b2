//! A room's chain on the receiving side: finds gaps, holds what is newer until a
//! gap is mended, drops what came before. Pure: time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::frame::{Batch, RepairOutcome};

/// How long and how much a chain waits for what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldLimits {
    /// Batches held while a gap is mended; beyond, the gap is given up. Default 512:
    /// half a minute of a busy room.
    pub batches_max: usize,
    /// A repair that did not close the gap is asked for again after this. Default 2 s.
    pub ask_again: Duration,
    /// Asks for one gap; then it is given up. Default 15: the servers may be without a
    /// leader for many seconds, and a gift in the gap is worth the wait.
    pub asks_max: u32,
}

impl Default for HoldLimits {
    fn default() -> Self {
        HoldLimits { batches_max: 512, ask_again: Duration::from_secs(2), asks_max: 15 }
    }
}

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
    /// The server's own position when the connection began.
    newest: Sequence,
    held: BTreeMap<Sequence, Batch>,
    asked: Option<Asked>,
    limits: HoldLimits,
}

impl RoomChain {
    /// A chain that has seen everything up to `position`.
    #[must_use]
    pub fn new(position: Sequence) -> Self {
        RoomChain::with_limits(position, HoldLimits::default())
    }

    /// The same with limits of its own.
    #[must_use]
    pub fn with_limits(position: Sequence, limits: HoldLimits) -> Self {
        RoomChain { position, newest: position, held: BTreeMap::new(), asked: None, limits }
    }

    /// Whether a gap is known: only then has [`RoomChain::tick`] work.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.goal().is_some()
    }

    /// The first position that is known to exist and has not been reached.
    fn goal(&self) -> Option<Sequence> {
        let held = self.held.keys().next().copied();
        let newest = (self.newest > self.position).then_some(self.newest);
        held.into_iter().chain(newest).min()
    }

    /// Everything up to here was delivered or given up.
    #[must_use]
    pub fn position(&self) -> Sequence {
        self.position
    }

    /// A new connection begins, whose server is at `newest`: what was asked on the old
    /// one is asked anew. The resume counts as the first ask, so that a resume that fails
    /// is noticed even if nothing more is said in the room.
    pub fn resumed(&mut self, newest: Sequence, now: Duration) {
        self.newest = newest;
        self.asked = self.goal().map(|goal| Asked { before: Sequence(goal.0 + 1), at: now, times: 1 });
    }

    /// Takes a batch.
    pub fn take(&mut self, batch: Batch, now: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        if is_other_history(&batch, self.position) {
            // Its newest is older than ours: start at its end.
            self.position = batch.sequence;
            self.newest = batch.sequence;
            self.held.clear();
            self.asked = None;
        }
        if batch.previous > self.position {
            self.hold(batch, now, &mut steps);
        } else {
            let (is_repair, before) = (batch.repair.is_some(), self.position);
            self.deliver(batch, &mut steps);
            // An answer that brought nothing leaves the ask standing: asked again at
            // once, a server that cannot repair would be asked without end.
            if is_repair && self.position > before {
                self.asked = None;
            }
        }
        self.go_on(now, &mut steps);
        steps
    }

    /// Time passes: asks again, or gives a gap up.
    pub fn tick(&mut self, now: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        let is_due = |asked: Asked| now.saturating_sub(asked.at) >= self.limits.ask_again;
        if self.asked.map_or(self.is_waiting(), is_due) {
            self.ask(now, &mut steps);
        }
        self.go_on(now, &mut steps);
        steps
    }

    fn hold(&mut self, batch: Batch, now: Duration, steps: &mut Vec<Step>) {
        // Of two from one place the one that reaches further is kept.
        match self.held.get(&batch.previous) {
            Some(held) if held.sequence > batch.sequence => {}
            _ => drop(self.held.insert(batch.previous, batch)),
        }
        if self.held.len() > self.limits.batches_max {
            self.give_up(steps);
        } else if self.asked.is_none() {
            self.ask(now, steps);
        }
    }

    fn ask(&mut self, now: Duration, steps: &mut Vec<Step>) {
        let Some(goal) = self.goal() else {
            self.asked = None;
            return;
        };
        let before = Sequence(goal.0 + 1);
        let times = self.asked.filter(|asked| asked.before == before).map_or(0, |asked| asked.times) + 1;
        if times > self.limits.asks_max {
            self.give_up(steps);
            return;
        }
        self.asked = Some(Asked { before, at: now, times });
        steps.push(Step::Ask { after: self.position, before });
    }

    fn give_up(&mut self, steps: &mut Vec<Step>) {
        self.asked = None;
        if let Some(goal) = self.goal() {
            self.position = goal;
            steps.push(Step::Lost { up_to: goal });
        }
    }

    /// Delivers what is held and has become next; asks for the gap that is left.
    fn go_on(&mut self, now: Duration, steps: &mut Vec<Step>) {
        if self.asked.is_some_and(|asked| asked.before.0 <= self.position.0 + 1) {
            // That gap closed without its answer; another may be left.
            self.asked = None;
        }
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

/// The answer to a resume from a position that the server never gave: `gone`, and
/// an empty range at its own newest. A late `gone` of an ordinary repair names the
/// range that was asked for instead, and must not turn the chain back.
fn is_other_history(batch: &Batch, position: Sequence) -> bool {
    batch.repair.is_some_and(|repair| repair.outcome == RepairOutcome::Gone)
        && batch.previous == batch.sequence
        && batch.sequence < position
}

#[cfg(test)]
mod tests;
