//! Chain of a room on the receiving side: finds gaps, holds newer batches until a gap is repaired, and
//! drops repeated messages. Pure: time is a parameter.

use std::collections::BTreeMap;
use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::frame::{Batch, RepairOutcome};

/// Limits of the repair of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldLimits {
    /// Batches held while a gap is open. Beyond, the gap is given up. Default 512: half a minute of a busy
    /// room.
    pub batches_max: usize,
    /// Time after which an unanswered repair is requested again. Default 2 s.
    pub ask_again: Duration,
    /// Requests for one gap, after which the gap is given up. Default 15: the servers may be without a
    /// leader for many seconds, and a gift in the gap is worth the wait.
    pub asks_max: u32,
}

impl Default for HoldLimits {
    fn default() -> Self {
        HoldLimits { batches_max: 512, ask_again: Duration::from_secs(2), asks_max: 15 }
    }
}

/// Action after a batch or a tick. Actions are carried out in order.
#[derive(Debug)]
pub enum Step {
    /// Deliver these messages and sums to the caller.
    Deliver(Batch),
    /// Request the messages between two positions, both excluded.
    Ask {
        /// Position of the last message before the gap.
        after: Sequence,
        /// Position of the first message after the gap.
        before: Sequence,
    },
    /// Give the gap up, after too many batches or requests.
    Lost {
        /// Last position of the gap; the chain continues after it.
        up_to: Sequence,
    },
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    before: Sequence,
    at: Duration,
    times: u32,
}

/// Chain of one room: orders batches and finds gaps. Pure: time is an argument.
#[derive(Debug)]
pub struct RoomChain {
    position: Sequence,
    /// Position of the server at the start of the connection.
    newest: Sequence,
    held: BTreeMap<Sequence, Batch>,
    asked: Option<Asked>,
    limits: HoldLimits,
}

impl RoomChain {
    /// Creates a chain that has all messages up to `position`.
    #[must_use]
    pub fn new(position: Sequence) -> Self {
        RoomChain::with_limits(position, HoldLimits::default())
    }

    /// Creates a chain with limits of its own.
    #[must_use]
    pub fn with_limits(position: Sequence, limits: HoldLimits) -> Self {
        RoomChain { position, newest: position, held: BTreeMap::new(), asked: None, limits }
    }

    /// Whether a gap is open, so that [`RoomChain::tick`] must be called.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.goal().is_some()
    }

    /// Returns the first position that exists and has not been reached.
    fn goal(&self) -> Option<Sequence> {
        let held = self.held.keys().next().copied();
        let newest = (self.newest > self.position).then_some(self.newest);
        held.into_iter().chain(newest).min()
    }

    /// Position up to which everything was delivered or given up.
    #[must_use]
    pub fn position(&self) -> Sequence {
        self.position
    }

    /// Starts a new connection to a server at the position `newest`. Requests of the old connection are
    /// repeated. The resume counts as the first request, so that a failed resume is noticed even if the
    /// room stays quiet.
    pub fn resumed(&mut self, newest: Sequence, now: Duration) {
        self.newest = newest;
        self.asked = self.goal().map(|goal| Asked { before: Sequence(goal.0 + 1), at: now, times: 1 });
    }

    /// Adds a batch and returns the next steps.
    pub fn take(&mut self, batch: Batch, now: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        if is_other_history(&batch, self.position) {
            // The newest position of the server is older than that of the chain: start there.
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
            // An empty answer does not end the request: an immediate repetition would flood a server
            // that cannot repair.
            if is_repair && self.position > before {
                self.asked = None;
            }
        }
        self.go_on(now, &mut steps);
        steps
    }

    /// Repeats a request that is due, or gives a gap up.
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
        // Of two batches after the same position, the longer one is kept.
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

    /// Delivers held batches that are next, and requests the remaining gap.
    fn go_on(&mut self, now: Duration, steps: &mut Vec<Step>) {
        if self.asked.is_some_and(|asked| asked.before.0 <= self.position.0 + 1) {
            // The gap closed without an answer; another gap may be open.
            self.asked = None;
        }
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() > self.position {
                if self.asked.is_none() {
                    self.ask(now, steps);
                }
                // After a gap was given up, the first held batch is next.
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
        // A signal ahead of its place, in a room with a moderation delay, moves no position.
        let is_ahead = batch.previous == batch.sequence;
        if batch.sequence <= position && !batch.messages.is_empty() && batch.repair.is_none() && !is_ahead {
            // Delivered before, sums included.
            return;
        }
        let is_known_in_part = batch.previous < position;
        batch.messages.retain(|message| message.sequence > position);
        if is_known_in_part {
            // Some of the dropped messages may be before the position, where they were counted. No more are behind
            // it than there are positions without a message.
            let messages = batch.messages.len() as u64;
            let behind = batch.sequence.0.saturating_sub(position.0).saturating_sub(messages);
            batch.left_out.chat = batch.left_out.chat.min(behind);
        }
        self.position = position.max(batch.sequence);
        steps.push(Step::Deliver(batch));
    }
}

/// Whether a batch answers a resume from a position that the server never assigned: `gone` with an empty
/// range at the newest position of the server. A late `gone` of an ordinary repair has the requested range
/// instead, and must not reset the chain.
fn is_other_history(batch: &Batch, position: Sequence) -> bool {
    batch.repair.is_some_and(|repair| repair.outcome == RepairOutcome::Gone)
        && batch.previous == batch.sequence
        && batch.sequence < position
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
