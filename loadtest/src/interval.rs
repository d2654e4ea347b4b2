//! What one second brought, on one thread or all over.

use std::collections::BTreeMap;

use barrage_protocol::Class;
use barrage_protocol::post::Outcome;
use serde::{Deserialize, Serialize};

use crate::arrivals::Kind;
use crate::latency::Latency;

/// Counts and latencies of a stretch of time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Interval {
    /// Viewers connected at its end.
    pub viewers: u64,
    /// Viewers at its end that want in and were told when to come: by a ticket, or by the
    /// time to come back of a refusal.
    pub waiting: u64,
    /// Tickets that entry gave out.
    pub tickets: u64,
    /// Viewers that moved to another gateway before they left theirs.
    pub moves: u64,
    /// Those of them whose viewer had moved less than five minutes before.
    pub moved_twice: u64,
    /// Viewers that got their first hello.
    pub joins: u64,
    /// Viewers that came back with a resume.
    pub reconnects: u64,
    /// Connections that did not come about, by reason.
    pub refusals: BTreeMap<String, u64>,
    /// Connections that ended without our doing, by reason.
    pub closes: BTreeMap<String, u64>,
    /// Frames read.
    pub frames: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Messages that reached a viewer.
    pub delivered: ByClass,
    /// Likes summed up in pulses.
    pub likes: u64,
    /// Chat that batches said they left out.
    pub left_out: u64,
    /// Chat that repairs said they skipped.
    pub skipped: u64,
    /// Gaps in viewers' chains.
    pub gaps: u64,
    /// Posts.
    pub posts: Posts,
    /// From intended send to the viewer.
    pub chat: Latency,
    /// The same for gifts.
    pub gift: Latency,
    /// From intended send to the uplink's answer.
    pub post: Latency,
    /// From intended arrival to the hello.
    pub join: Latency,
    /// From the loss of a connection to the next hello.
    pub reconnect: Latency,
    /// How late our own timers fired.
    pub lag: Latency,
}

/// Messages by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByClass {
    /// Signals.
    pub signal: u64,
    /// Gifts and super chats.
    pub gift: u64,
    /// Chat.
    pub chat: u64,
}

impl ByClass {
    /// Counts messages.
    pub fn count(&mut self, class: Class, messages: u64) {
        match class {
            Class::Signal => self.signal += messages,
            Class::Gift => self.gift += messages,
            Class::Chat => self.chat += messages,
            Class::Pulse => {}
        }
    }

    /// All classes together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.signal + self.gift + self.chat
    }
}

/// Posts by kind and by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posts {
    /// Chat that was due.
    pub chat: u64,
    /// Gifts that were due.
    pub gift: u64,
    /// Likes that were due.
    pub like: u64,
    /// Shown to everybody.
    pub broadcast: u64,
    /// Over the room's display quota.
    pub held: u64,
    /// Posted before; only a retry can be.
    pub duplicate: u64,
    /// Refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Without an answer, by reason.
    pub failed: BTreeMap<String, u64>,
}

impl Posts {
    /// One was due.
    pub fn due(&mut self, kind: Kind) {
        match kind {
            Kind::Chat => self.chat += 1,
            Kind::Gift => self.gift += 1,
            Kind::Like => self.like += 1,
        }
    }

    /// One was answered.
    pub fn answered(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Broadcast => self.broadcast += 1,
            Outcome::Held => self.held += 1,
            Outcome::Duplicate => self.duplicate += 1,
        }
    }

    /// All that were due.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.chat + self.gift + self.like
    }

    /// All that were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// All that were not answered.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    fn add(&mut self, other: &Posts) {
        self.chat += other.chat;
        self.gift += other.gift;
        self.like += other.like;
        self.broadcast += other.broadcast;
        self.held += other.held;
        self.duplicate += other.duplicate;
        add_counts(&mut self.refused, &other.refused);
        add_counts(&mut self.failed, &other.failed);
    }
}

/// Adds counts by name.
pub fn add_counts(counts: &mut BTreeMap<String, u64>, others: &BTreeMap<String, u64>) {
    for (name, count) in others {
        tally(counts, name, *count);
    }
}

/// Adds to the count of a name; names are few and ours.
pub fn tally(counts: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    match counts.get_mut(name) {
        Some(known) => *known += count,
        None => drop(counts.insert(name.to_owned(), count)),
    }
}

impl Interval {
    /// Adds what another thread or process saw, or another second; `viewers` and `waiting`
    /// add up too, which makes sense for the former alone.
    pub fn add(&mut self, other: &Interval) {
        self.viewers += other.viewers;
        self.waiting += other.waiting;
        self.tickets += other.tickets;
        self.moves += other.moves;
        self.moved_twice += other.moved_twice;
        self.joins += other.joins;
        self.reconnects += other.reconnects;
        add_counts(&mut self.refusals, &other.refusals);
        add_counts(&mut self.closes, &other.closes);
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.delivered.signal += other.delivered.signal;
        self.delivered.gift += other.delivered.gift;
        self.delivered.chat += other.delivered.chat;
        self.likes += other.likes;
        self.left_out += other.left_out;
        self.skipped += other.skipped;
        self.gaps += other.gaps;
        self.posts.add(&other.posts);
        for (ours, theirs) in self.latencies_mut().into_iter().zip(other.latencies()) {
            ours.add(theirs);
        }
    }

    fn latencies(&self) -> [&Latency; 6] {
        [&self.chat, &self.gift, &self.post, &self.join, &self.reconnect, &self.lag]
    }

    fn latencies_mut(&mut self) -> [&mut Latency; 6] {
        [&mut self.chat, &mut self.gift, &mut self.post, &mut self.join, &mut self.reconnect, &mut self.lag]
    }

    /// Latencies of all deliveries.
    #[must_use]
    pub fn deliveries(&self) -> Latency {
        let mut all = self.chat.clone();
        all.add(&self.gift);
        all
    }
}
