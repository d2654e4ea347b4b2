//! Counts and latencies of one second, on one thread or over all of them.

use std::collections::BTreeMap;

use barrage_protocol::Class;
use barrage_protocol::post::Outcome;
use serde::{Deserialize, Serialize};

use crate::load::arrivals::Kind;
use crate::measure::latency::Latency;

/// Counts and latencies of one interval, which add up over threads and workers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Interval {
    /// Viewers connected at the end of the interval.
    pub viewers: u64,
    /// Viewers that wait at the end of the interval, for the time in their ticket or for the retry
    /// time of a refusal.
    pub waiting: u64,
    /// Tickets that entry issued to waiting viewers in the interval.
    pub tickets: u64,
    /// Viewers that moved to another gateway before they left the old one.
    pub moves: u64,
    /// Moves of viewers that had moved less than five minutes before.
    pub moved_twice: u64,
    /// Viewers that received their first hello in the interval.
    pub joins: u64,
    /// Viewers that reconnected with a resume.
    pub reconnects: u64,
    /// Connections that could not be opened, by reason.
    pub refusals: BTreeMap<String, u64>,
    /// Connections that ended unintentionally, by reason.
    pub closes: BTreeMap<String, u64>,
    /// WebSocket frames that the viewers read from the server.
    pub frames: u64,
    /// Bytes that the viewers read from their sockets.
    pub bytes: u64,
    /// Messages delivered to viewers, by class; each viewer counts.
    pub delivered: ByClass,
    /// Likes, summed over the pulses that all viewers received.
    pub likes: u64,
    /// Chat messages that batches reported as dropped, over all viewers.
    pub left_out: u64,
    /// Chat messages that repairs reported as skipped, over all viewers.
    pub skipped: u64,
    /// Gaps in the message chains of viewers.
    pub gaps: u64,
    /// Posts that were due, and the answers of the uplink.
    pub posts: Posts,
    /// Pages of history that viewers asked for.
    pub histories: u64,
    /// Pages of history that were refused or had no answer, by reason.
    pub histories_failed: BTreeMap<String, u64>,
    /// Latency of chat, from the intended send to the viewer.
    pub chat: Latency,
    /// Latency of gifts, from the intended send to the viewer.
    pub gift: Latency,
    /// Latency of posts, from the intended send to the uplink's answer.
    pub post: Latency,
    /// Latency of joins, from the intended join to the hello.
    pub join: Latency,
    /// Latency of pages of history, from the hello to the whole page.
    #[serde(default)]
    pub history: Latency,
    /// Time from the loss of a connection to the next hello.
    pub reconnect: Latency,
    /// Delay of the load tester's own timers.
    pub lag: Latency,
}

/// Numbers of messages by class; pulses are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByClass {
    /// Signals of the room that were delivered to viewers.
    pub signal: u64,
    /// Gifts and super chats that were delivered to viewers.
    pub gift: u64,
    /// Chat messages that were delivered to viewers.
    pub chat: u64,
}

impl ByClass {
    /// Adds a number of messages to their class; pulses are ignored.
    pub fn count(&mut self, class: Class, messages: u64) {
        match class {
            Class::Signal => self.signal += messages,
            Class::Gift => self.gift += messages,
            Class::Chat => self.chat += messages,
            Class::Pulse => {}
        }
    }

    /// Returns the sum over signals, gifts and chat.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.signal + self.gift + self.chat
    }
}

/// Numbers of posts, by kind and by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posts {
    /// Chat messages whose intended send time has come.
    pub chat: u64,
    /// Gifts whose intended send time has come.
    pub gift: u64,
    /// Posts of likes whose intended send time has come.
    pub like: u64,
    /// Posts that the uplink accepted and broadcast to the room.
    pub broadcast: u64,
    /// Posts held because the room was over its display quota.
    pub held: u64,
    /// Posts that the uplink had received before; only a retry can be one.
    pub duplicate: u64,
    /// Posts that the server refused, by the code of the refusal.
    pub refused: BTreeMap<String, u64>,
    /// Posts that got no answer, by the reason of the failure.
    pub failed: BTreeMap<String, u64>,
    /// Posts that left the tester more than 100 ms after their due time, or never.
    #[serde(default)]
    pub late: u64,
}

impl Posts {
    /// Counts a post of this kind whose intended send time has come.
    pub fn due(&mut self, kind: Kind) {
        match kind {
            Kind::Chat => self.chat += 1,
            Kind::Gift => self.gift += 1,
            Kind::Like => self.like += 1,
        }
    }

    /// Counts an accepted post by the outcome in its answer.
    pub fn answered(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Broadcast => self.broadcast += 1,
            Outcome::Held => self.held += 1,
            Outcome::Duplicate => self.duplicate += 1,
        }
    }

    /// Returns the number of posts that were due, over all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.chat + self.gift + self.like
    }

    /// Returns the number of refused posts, over all codes.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Returns the number of posts without an answer, over all reasons.
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
        self.late += other.late;
    }
}

/// Adds the counts of `others` to those of the same name.
pub fn add_counts(counts: &mut BTreeMap<String, u64>, others: &BTreeMap<String, u64>) {
    for (name, count) in others {
        tally(counts, name, *count);
    }
}

/// Adds 1 to the count of a name. The names are constants of this program.
pub fn tally(counts: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    match counts.get_mut(name) {
        Some(known) => *known += count,
        None => drop(counts.insert(name.to_owned(), count)),
    }
}

impl Interval {
    /// Adds the interval of another thread, process or second. `viewers` and `waiting` add up, too,
    /// which is meaningful only for threads and processes.
    pub fn add(&mut self, other: &Interval) {
        self.add_counts_of(other);
        for (ours, theirs) in self.latencies_mut().into_iter().zip(other.latencies()) {
            ours.add(theirs);
        }
    }

    /// Adds the counts of another interval, without its latencies.
    pub fn add_counts_of(&mut self, other: &Interval) {
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
        self.histories += other.histories;
        add_counts(&mut self.histories_failed, &other.histories_failed);
    }

    /// Returns the latencies, in the order of [`crate::measure::figure::LATENCIES`], and the tester's lag.
    pub(crate) fn latencies(&self) -> [&Latency; 7] {
        [&self.chat, &self.gift, &self.post, &self.join, &self.reconnect, &self.history, &self.lag]
    }

    fn latencies_mut(&mut self) -> [&mut Latency; 7] {
        [
            &mut self.chat,
            &mut self.gift,
            &mut self.post,
            &mut self.join,
            &mut self.reconnect,
            &mut self.history,
            &mut self.lag,
        ]
    }

    /// Returns the latencies of chat and gifts as one distribution.
    #[must_use]
    pub fn deliveries(&self) -> Latency {
        let mut all = self.chat.clone();
        all.add(&self.gift);
        all
    }
}
