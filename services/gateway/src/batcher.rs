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
    /// The same for the bytes of its messages' bodies.
    pub(crate) bytes_max: usize,
    /// Share of chat that is kept.
    pub(crate) chat_share: f64,
    /// Effort of deflate, 1 to 9.
    pub(crate) effort: u8,
}

#[derive(Debug)]
pub(crate) struct Batcher {
    pub(crate) pace: Pace,
    /// The chain's position after what is open.
    open_to: Sequence,
    /// What no wave has been given yet.
    open: Vec<Arc<Message>>,
    /// Bytes of the bodies of what is open.
    open_bytes: usize,
    /// When the first of it came.
    open_since: Option<Duration>,
    /// Chat left out of what is open.
    thinned: u64,
    /// Halved each time that the open batch is squeezed.
    squeezed_share: f64,
    likes: u64,
    entries: u64,
    online: Option<u64>,
    online_sent: Option<u64>,
    pulse_sent_at: Option<Duration>,
    /// Parts of the room's viewers that are served in turn; at least one.
    waves: Vec<Wave>,
}

/// What one part of the viewers is still to be sent.
#[derive(Debug, Clone, Default)]
struct Wave {
    /// The chain's position after what was sent to it.
    sent: Sequence,
    messages: Vec<Arc<Message>>,
    /// Bytes of their bodies.
    bytes: usize,
    thinned: u64,
    pulse: Pulse,
    sent_at: Option<Duration>,
    /// When the first came of what waits here.
    since: Option<Duration>,
}

/// What a flush gives to one wave.
#[derive(Debug)]
pub(crate) struct Flushed {
    pub(crate) wave: usize,
    pub(crate) contents: Contents,
    /// When its messages' turn came; none when it has none.
    pub(crate) due: Option<Duration>,
    /// What was open, and went to all waves.
    pub(crate) gathered: Counts,
}

/// What a change of the number of waves did to messages that waited in them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Resized {
    /// Given to new waves, too.
    pub(crate) took: Counts,
    /// Not sent, because all of a wave's viewers have gone.
    pub(crate) gone: Counts,
}

impl Batcher {
    pub(crate) fn new(start: Sequence, pace: Pace) -> Self {
        Batcher {
            pace,
            open_to: start,
            open: Vec::new(),
            open_bytes: 0,
            open_since: None,
            thinned: 0,
            squeezed_share: 1.0,
            likes: 0,
            entries: 0,
            online: None,
            online_sent: None,
            pulse_sent_at: None,
            waves: vec![Wave { sent: start, ..Wave::default() }],
        }
    }

    /// The chain's position after everything taken so far.
    pub(crate) fn position(&self) -> Sequence {
        self.open_to
    }

    /// Messages that wait for a flush, by class.
    pub(crate) fn holds(&self) -> Counts {
        counts(&self.open)
    }

    /// Messages that wait for their wave's turn, by class, over all waves.
    pub(crate) fn waves_hold(&self) -> Counts {
        let mut sum = Counts::default();
        for wave in &self.waves {
            add(&mut sum, &counts(&wave.messages));
        }
        sum
    }

    pub(crate) fn waves(&self) -> usize {
        self.waves.len()
    }

    /// Serves so many waves from now on; a new one stands where the last of the others
    /// does, so that nobody in it misses anything.
    pub(crate) fn resize(&mut self, waves: usize) -> Resized {
        let mut resized = Resized::default();
        while self.waves.len() > waves.max(1) {
            let gone = self.waves.pop().unwrap_or_default();
            add(&mut resized.gone, &counts(&gone.messages));
        }
        while self.waves.len() < waves {
            let last = self.waves.iter().min_by_key(|wave| wave.sent).cloned().unwrap_or_default();
            add(&mut resized.took, &counts(&last.messages));
            self.waves.push(last);
        }
        resized
    }

    /// Whether a batch is full.
    pub(crate) fn is_full(&self) -> bool {
        let most = |of: fn(&Wave) -> usize| self.waves.iter().map(of).max().unwrap_or_default();
        self.open.len() + most(|wave| wave.messages.len()) >= self.pace.messages_max
            || self.open_bytes + most(|wave| wave.bytes) >= self.pace.bytes_max
    }

    /// Adds the next message of the chain, which came at `now`; false when it is left out.
    pub(crate) fn push(&mut self, message: Arc<Message>, now: Duration) -> bool {
        self.open_to = message.sequence;
        self.open_since.get_or_insert(now);
        let is_kept = is_kept(&message, self.pace.chat_share.min(self.squeezed_share));
        if is_kept {
            self.open_bytes += message.body.len();
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
        self.open_bytes = self.open.iter().map(|message| message.body.len()).sum();
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
        let waiting = self.waves.iter().flat_map(|wave| &wave.messages);
        self.open.iter().chain(waiting).any(|message| message.class.is_precious())
    }

    /// Whether messages wait for their turn.
    pub(crate) fn gathers(&self) -> bool {
        self.next().is_some()
    }

    /// When the next batch is due; `None` when there is nothing to send.
    pub(crate) fn due(&self) -> Option<Duration> {
        let waves = self.next().map(|(due, _)| due);
        let has_pulse = self.likes > 0 || self.entries > 0 || self.online.is_some();
        let pulse = self.pace.pulse.filter(|_| has_pulse).map(|every| after(self.pulse_sent_at, every));
        match (waves, pulse) {
            (Some(waves), Some(pulse)) => Some(waves.min(pulse)),
            (waves, pulse) => waves.or(pulse),
        }
    }

    /// The wave whose turn comes first, and when; those without news have none.
    fn next(&self) -> Option<(Duration, usize)> {
        let is_full = self.is_full();
        let turn = |(index, wave): (usize, &Wave)| {
            let has_news = self.open_to > wave.sent || !wave.pulse.is_empty();
            let due = if is_full { Duration::ZERO } else { after(wave.sent_at, self.pace.window) };
            // Full ones go at once, and still in turn.
            has_news.then_some((due, wave.sent_at, index))
        };
        self.waves.iter().enumerate().filter_map(turn).min().map(|(due, _, index)| (due, index))
    }

    /// Takes what is open at `now`, for all waves, and gives the one whose turn it is all
    /// that it has not been sent. Pulses ride along once their time has come.
    pub(crate) fn flush(&mut self, now: Duration, room: &RoomId) -> Flushed {
        let gathered = self.gather(now);
        let index = self.next().map_or(0, |(_, index)| index);
        let (effort, open_to) = (self.pace.effort, self.open_to);
        let wave = &mut self.waves[index];
        let turn = after(wave.sent_at, self.pace.window);
        let due = wave.since.take().map(|since| turn.max(since));
        if open_to > wave.sent {
            wave.sent_at = Some(now);
        }
        let contents = Contents {
            room: room.clone(),
            previous: std::mem::replace(&mut wave.sent, open_to),
            sequence: open_to,
            messages: {
                wave.bytes = 0;
                std::mem::take(&mut wave.messages)
            },
            thinned: std::mem::take(&mut wave.thinned),
            pulse: std::mem::take(&mut wave.pulse),
            effort,
        };
        Flushed { wave: index, contents, due, gathered }
    }

    fn gather(&mut self, now: Duration) -> Counts {
        let is_pulse_due =
            self.pace.pulse.is_some_and(|every| self.pulse_sent_at.is_none_or(|at| now >= at + every));
        let pulse = if is_pulse_due { self.take_pulse(now) } else { Pulse::default() };
        let messages = std::mem::take(&mut self.open);
        let bytes = std::mem::take(&mut self.open_bytes);
        let thinned = std::mem::take(&mut self.thinned);
        let since = self.open_since.take();
        self.squeezed_share = 1.0;
        for wave in &mut self.waves {
            wave.since = wave.since.or(since);
            wave.messages.extend_from_slice(&messages);
            wave.bytes += bytes;
            wave.thinned += thinned;
            wave.pulse.likes += pulse.likes;
            wave.pulse.entries += pulse.entries;
            wave.pulse.online = pulse.online.or(wave.pulse.online);
        }
        counts(&messages)
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

fn after(at: Option<Duration>, time: Duration) -> Duration {
    at.map_or(Duration::ZERO, |at| at + time)
}

fn add(sum: &mut Counts, messages: &Counts) {
    for (sum, messages) in sum.iter_mut().zip(messages) {
        *sum += messages;
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
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn pace() -> Pace {
        Pace {
            window: ms(50),
            pulse: Some(ms(1000)),
            messages_max: 3,
            bytes_max: usize::MAX,
            chat_share: 1.0,
            effort: 3,
        }
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
        batcher.push(chat(5), ms(10));
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        let batch = batcher.flush(ms(10), &room).contents;
        assert_eq!((batch.previous, batch.sequence), (Sequence(4), Sequence(5)));
        batcher.push(chat(6), ms(11));
        batcher.push(chat(7), ms(12));
        assert_eq!(batcher.due(), Some(ms(60)));
        batcher.push(chat(8), ms(13));
        assert_eq!(batcher.due(), Some(Duration::ZERO), "full");
        assert_eq!(batcher.flush(ms(20), &room).contents.messages.len(), 3);
        batcher.like(3);
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        assert_eq!(batcher.flush(ms(30), &room).contents.pulse.likes, 3);
        batcher.like(4);
        batcher.entered(2);
        assert_eq!(batcher.due(), Some(ms(1030)));
        batcher.push(chat(9), ms(40));
        assert_eq!(batcher.flush(ms(70), &room).contents.pulse.likes, 0, "once a second at most");
        batcher.push(chat(10), ms(1035));
        let pulse = batcher.flush(ms(1040), &room).contents.pulse;
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
            kept += u64::from(batcher.push(message(sequence, class), ms(0)));
        }
        assert!((1_650..1_850).contains(&kept), "1000 gifts and a quarter of the chat: {kept}");
        let squeezed = batcher.squeeze();
        assert!(squeezed == 0, "a half is more than a quarter: the same sample");
        let squeezed = batcher.squeeze() + batcher.squeeze();
        assert!((300..450).contains(&squeezed), "{squeezed}");
        assert_eq!(batcher.holds()[1], 1_000);
        let batch = batcher.flush(ms(1), &room).contents;
        assert_eq!(batch.messages.len() as u64 + batch.thinned, 4_000);
        assert_eq!((batch.previous, batch.sequence), (Sequence(0), Sequence(4_000)));
    }

    #[test]
    fn a_batch_of_which_all_is_left_out_is_sent_for_the_chain() {
        let mut batcher = Batcher::new(Sequence(0), Pace { chat_share: 0.0, ..pace() });
        assert!(!batcher.push(message(1, Class::Chat), ms(0)));
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        let batch = batcher.flush(ms(0), &"r".parse().unwrap()).contents;
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

    #[test]
    fn waves_are_served_in_turn_each_with_what_came_until_then() {
        let room = "r".parse().unwrap();
        let mut batcher = Batcher::new(Sequence(0), Pace { messages_max: 100, ..pace() });
        let chat = |sequence| message(sequence, Class::Chat);
        assert_eq!(batcher.resize(2), Resized::default());
        batcher.push(chat(1), ms(0));
        let first = batcher.flush(ms(0), &room);
        assert_eq!((first.wave, first.gathered[2]), (0, 1));
        assert_eq!(batcher.waves_hold()[2], 1);
        // The other one's turn is at once, and brings what has come meanwhile.
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        batcher.push(chat(2), ms(5));
        let second = batcher.flush(ms(8), &room);
        assert_eq!((second.wave, second.gathered[2]), (1, 1));
        assert_eq!((first.due, second.due), (Some(ms(0)), Some(ms(0))), "the first of both came then");
        assert_eq!((second.contents.previous, second.contents.sequence), (Sequence(0), Sequence(2)));
        assert_eq!(batcher.due(), Some(ms(50)), "a window after its last");
        let third = batcher.flush(ms(50), &room);
        assert_eq!((third.wave, third.contents.previous, third.contents.messages.len()), (0, Sequence(1), 1));
        assert_eq!(third.due, Some(ms(50)));
        assert_eq!(batcher.due(), None, "both have everything");
        batcher.push(chat(3), ms(52));
        assert_eq!(batcher.due(), Some(ms(58)));
        // A third one stands where the last of the others does.
        batcher.flush(ms(58), &room);
        let resized = batcher.resize(3);
        assert_eq!(resized.took[2], 1);
        let contents: Vec<_> = [ms(100), ms(101)].map(|at| batcher.flush(at, &room).contents).into();
        assert!(contents.iter().all(|it| (it.previous, it.sequence) == (Sequence(2), Sequence(3))));
        batcher.push(chat(4), ms(190));
        batcher.flush(ms(200), &room);
        assert_eq!(batcher.resize(1).gone[2], 1);
        assert_eq!(batcher.due(), Some(ms(150)));
    }

    #[test]
    fn every_wave_gets_the_sums_once() {
        let room = "r".parse().unwrap();
        let mut batcher = Batcher::new(Sequence(0), pace());
        batcher.resize(2);
        batcher.like(3);
        batcher.online(7);
        let pulses = [ms(1), ms(2)].map(|at| batcher.flush(at, &room).contents.pulse);
        assert!(pulses.iter().all(|pulse| (pulse.likes, pulse.online) == (3, Some(7))), "{pulses:?}");
        assert_eq!(batcher.due(), None);
    }

    proptest! {
        /// Whatever the turns and however many waves: each wave's chain closes, and brings
        /// every gift once.
        #[test]
        fn each_chain_closes(steps in prop::collection::vec((0_u8..4, 1_usize..5), 1..200)) {
            let room = "r".parse().unwrap();
            let mut batcher = Batcher::new(Sequence(0), Pace { messages_max: 8, ..pace() });
            let (mut sequence, mut now, mut sent) = (0, ms(0), vec![0]);
            for (step, n) in steps {
                now += ms(7);
                match step {
                    0 | 1 => {
                        sequence += 1;
                        batcher.push(message(sequence, if n == 1 { Class::Chat } else { Class::Gift }), now);
                        if batcher.is_full() {
                            batcher.squeeze();
                        }
                    }
                    2 => {
                        batcher.resize(n);
                        let last = sent.iter().min().copied().unwrap_or_default();
                        sent.resize(n, last);
                    }
                    _ => {
                        let Flushed { wave, contents, .. } = batcher.flush(now, &room);
                        prop_assert_eq!(contents.previous, Sequence(sent[wave]));
                        let covered = contents.sequence.0 - contents.previous.0;
                        prop_assert_eq!(contents.messages.len() as u64 + contents.thinned, covered);
                        sent[wave] = contents.sequence.0;
                    }
                }
            }
        }
    }
}
