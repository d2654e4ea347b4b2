//! When a room's open batch is sent: at once while the room is quiet, at the
//! window's end while it is busy; and what of it is left out. Pure.

use std::sync::Arc;
use std::time::Duration;

use barrage_flow::Counts;
use barrage_protocol::batch::Pulse;
use barrage_protocol::{Class, Message, RoomId, Sequence};

use crate::batch::{Contents, counts};

/// How finely a room is served just now; times are since the hub's start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// A busy room's window.
    pub(crate) window: Duration,
    /// Between two pulses; `None` sends none.
    pub(crate) pulse: Option<Duration>,
    /// A fuller batch is sent before its window ends.
    pub(crate) messages_max: usize,
    /// Share of chat that is kept.
    pub(crate) chat_share: f64,
    /// Effort of deflate, 1 to 9.
    pub(crate) effort: u32,
}

#[derive(Debug)]
pub(crate) struct Batcher {
    pub(crate) pace: Pace,
    /// The chain's position after what was sent.
    sent: Sequence,
    /// The chain's position after what is open.
    open_to: Sequence,
    open: Vec<Arc<Message>>,
    /// Chat left out of the open batch.
    thinned: u64,
    /// Halved each time that the open batch is squeezed.
    squeezed_share: f64,
    likes: u64,
    entries: u64,
    online: Option<u64>,
    online_sent: Option<u64>,
    sent_at: Option<Duration>,
    pulse_sent_at: Option<Duration>,
}

impl Batcher {
    pub(crate) fn new(start: Sequence, pace: Pace) -> Self {
        Batcher {
            pace,
            sent: start,
            open_to: start,
            open: Vec::new(),
            thinned: 0,
            squeezed_share: 1.0,
            likes: 0,
            entries: 0,
            online: None,
            online_sent: None,
            sent_at: None,
            pulse_sent_at: None,
        }
    }

    /// The chain's position after everything taken so far.
    pub(crate) fn position(&self) -> Sequence {
        self.open_to
    }

    /// Messages that wait, by class.
    pub(crate) fn holds(&self) -> Counts {
        counts(&self.open)
    }

    /// Whether a batch is full.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= self.pace.messages_max
    }

    /// Adds the next message of the chain; false when it is left out.
    pub(crate) fn push(&mut self, message: Arc<Message>) -> bool {
        self.open_to = message.sequence;
        let is_kept = is_kept(&message, self.pace.chat_share.min(self.squeezed_share));
        if is_kept {
            self.open.push(message);
        } else {
            self.thinned += 1;
        }
        is_kept
    }

    /// Leaves about half of the open chat out; returns how many. What is kept is
    /// the same on every gateway that squeezes as often.
    pub(crate) fn squeeze(&mut self) -> u64 {
        self.squeezed_share /= 2.0;
        let before = self.open.len();
        let share = self.squeezed_share;
        self.open.retain(|message| is_kept(message, share));
        let left_out = (before - self.open.len()) as u64;
        self.thinned += left_out;
        left_out
    }

    /// Chat of the chain that was not even taken.
    pub(crate) fn skipped(&mut self, chat: u64) {
        self.thinned += chat;
    }

    pub(crate) fn like(&mut self, likes: u64) {
        self.likes = self.likes.saturating_add(likes);
    }

    pub(crate) fn entered(&mut self, entries: u64) {
        self.entries = self.entries.saturating_add(entries);
    }

    /// Tells the number of viewers; sent when it changed.
    pub(crate) fn online(&mut self, online: u64) {
        self.online = (self.online_sent != Some(online)).then_some(online);
    }

    /// Whether signals or gifts wait.
    pub(crate) fn has_precious(&self) -> bool {
        self.open.iter().any(|message| message.class.is_precious())
    }

    /// When the open batch is due; `None` when there is nothing to send.
    pub(crate) fn due(&self) -> Option<Duration> {
        let after = |sent: Option<Duration>, window| sent.map_or(Duration::ZERO, |at| at + window);
        let messages = if self.is_full() {
            Some(Duration::ZERO)
        } else {
            (self.open_to > self.sent).then(|| after(self.sent_at, self.pace.window))
        };
        let has_pulse = self.likes > 0 || self.entries > 0 || self.online.is_some();
        let pulse = self.pace.pulse.filter(|_| has_pulse).map(|every| after(self.pulse_sent_at, every));
        match (messages, pulse) {
            (Some(messages), Some(pulse)) => Some(messages.min(pulse)),
            (messages, pulse) => messages.or(pulse),
        }
    }

    /// Takes what is open at `now`. Pulses ride along once their time has come.
    pub(crate) fn flush(&mut self, now: Duration, room: &RoomId) -> Contents {
        let is_pulse_due =
            self.pace.pulse.is_some_and(|every| self.pulse_sent_at.is_none_or(|at| now >= at + every));
        let pulse = if is_pulse_due { self.take_pulse(now) } else { Pulse::default() };
        let messages = std::mem::take(&mut self.open);
        if self.open_to > self.sent {
            self.sent_at = Some(now);
        }
        self.squeezed_share = 1.0;
        Contents {
            room: room.clone(),
            previous: std::mem::replace(&mut self.sent, self.open_to),
            sequence: self.open_to,
            messages,
            thinned: std::mem::take(&mut self.thinned),
            pulse,
            effort: self.pace.effort,
        }
    }

    /// Gives up the sums that wait; returns how much they were.
    pub(crate) fn drop_pulse(&mut self) -> u64 {
        self.online = None;
        std::mem::take(&mut self.likes).saturating_add(std::mem::take(&mut self.entries))
    }

    fn take_pulse(&mut self, now: Duration) -> Pulse {
        let pulse = Pulse {
            likes: std::mem::take(&mut self.likes),
            entries: std::mem::take(&mut self.entries),
            online: self.online.take(),
        };
        if !pulse.is_empty() {
            self.pulse_sent_at = Some(now);
            self.online_sent = pulse.online.or(self.online_sent);
        }
        pulse
    }
}

/// The shared sample: the sequence decides, so every gateway keeps the same.
fn is_kept(message: &Message, share: f64) -> bool {
    message.class != Class::Chat || share >= 1.0 || sampled(message.sequence) < share
}

/// A number in 0..1 that is spread evenly over sequences (splitmix64's mixing).
fn sampled(sequence: Sequence) -> f64 {
    let mut mixed = sequence.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn pace() -> Pace {
        Pace { window: ms(50), pulse: Some(ms(1000)), messages_max: 3, chat_share: 1.0, effort: 3 }
    }

    fn message(sequence: u64, class: Class) -> Arc<Message> {
        Arc::new(Message {
            room: "r".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence(sequence - 1),
            class,
            sender: None,
            id: None,
            to: None,
            at_ms: 0,
            body: "{}".into(),
        })
    }

    #[test]
    fn at_once_when_quiet_then_by_the_window() {
        let room = "r".parse().unwrap();
        let chat = |sequence| message(sequence, Class::Chat);
        let mut batcher = Batcher::new(Sequence(4), pace());
        assert_eq!(batcher.due(), None);
        batcher.push(chat(5));
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        let batch = batcher.flush(ms(10), &room);
        assert_eq!((batch.previous, batch.sequence), (Sequence(4), Sequence(5)));
        batcher.push(chat(6));
        batcher.push(chat(7));
        assert_eq!(batcher.due(), Some(ms(60)));
        batcher.push(chat(8));
        assert_eq!(batcher.due(), Some(Duration::ZERO), "full");
        assert_eq!(batcher.flush(ms(20), &room).messages.len(), 3);
        batcher.like(3);
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        assert_eq!(batcher.flush(ms(30), &room).pulse.likes, 3);
        batcher.like(4);
        batcher.entered(2);
        assert_eq!(batcher.due(), Some(ms(1030)));
        batcher.push(chat(9));
        assert_eq!(batcher.flush(ms(70), &room).pulse.likes, 0, "once a second at most");
        batcher.push(chat(10));
        let pulse = batcher.flush(ms(1040), &room).pulse;
        assert_eq!((pulse.likes, pulse.entries), (4, 2));
        batcher.online(2);
        batcher.flush(ms(2100), &room);
        batcher.online(2);
        assert_eq!(batcher.due(), None, "an unchanged count is not sent");
    }

    #[test]
    fn what_is_left_out_closes_the_chain_and_gifts_stay() {
        let room = "r".parse().unwrap();
        let mut batcher =
            Batcher::new(Sequence(0), Pace { chat_share: 0.25, messages_max: 10_000, ..pace() });
        let mut kept = 0;
        for sequence in 1..=4_000 {
            let class = if sequence % 4 == 0 { Class::Gift } else { Class::Chat };
            kept += u64::from(batcher.push(message(sequence, class)));
        }
        assert!((1_650..1_850).contains(&kept), "1000 gifts and a quarter of the chat: {kept}");
        let squeezed = batcher.squeeze();
        assert!(squeezed == 0, "a half is more than a quarter: the same sample");
        let squeezed = batcher.squeeze() + batcher.squeeze();
        assert!((300..450).contains(&squeezed), "{squeezed}");
        assert_eq!(batcher.holds()[1], 1_000);
        let batch = batcher.flush(ms(1), &room);
        assert_eq!(batch.messages.len() as u64 + batch.thinned, 4_000);
        assert_eq!((batch.previous, batch.sequence), (Sequence(0), Sequence(4_000)));
    }

    #[test]
    fn a_batch_of_which_all_is_left_out_is_sent_for_the_chain() {
        let mut batcher = Batcher::new(Sequence(0), Pace { chat_share: 0.0, ..pace() });
        assert!(!batcher.push(message(1, Class::Chat)));
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        let batch = batcher.flush(ms(0), &"r".parse().unwrap());
        assert_eq!((batch.messages.len(), batch.thinned, batch.sequence), (0, 1, Sequence(1)));
    }

    #[test]
    fn without_pulses_nothing_is_due_for_them() {
        let mut batcher = Batcher::new(Sequence(0), Pace { pulse: None, ..pace() });
        batcher.like(5);
        batcher.online(7);
        assert_eq!(batcher.due(), None);
        assert_eq!(batcher.drop_pulse(), 5);
    }
}
