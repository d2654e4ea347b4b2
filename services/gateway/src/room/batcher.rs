use std::sync::Arc;
use std::time::Duration;

use barrage_bus::PulseDraft;
use barrage_class::Counts;
use barrage_protocol::batch::Pulse;
use barrage_protocol::lines::{LineItem, LineLog};
use barrage_protocol::{Message, RoomId, Sequence};

use super::batch::{Contents, class_counts};
use super::pulse::{PulseSums, merge};
use super::sample::is_kept;

/// How finely a room is served, by its heat and the overload level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// Batching window while the room is busy.
    pub(crate) window: Duration,
    /// Time between two pulses; `None` sends no pulse.
    pub(crate) pulse: Option<Duration>,
    /// Messages at which a batch is full and is sent before its window ends.
    pub(crate) messages_max: usize,
    /// Bytes of bodies at which a batch is full.
    pub(crate) bytes_max: usize,
    /// Bytes of bodies at which a batch is sent before its window ends, so that a socket takes its frame in one
    /// write. Below `bytes_max`, because a batch that cannot go yet still grows.
    pub(crate) bytes_due: usize,
    /// Share of chat that is kept, 0 to 1.
    pub(crate) chat_share: f64,
    /// Compression effort of deflate, 1 to 9.
    pub(crate) effort: u8,
    /// Bytes of earlier lines to which a batch of lines may refer.
    pub(crate) trail_bytes: usize,
}

/// Open batch of one room and its waves; decides when a batch is sent, and which chat is dropped.
///
/// Pure: time is passed in, as the time since the hub's start. A quiet room sends at once, a busy
/// room at the end of its window.
#[derive(Debug)]
pub(crate) struct Batcher {
    pub(crate) pace: Pace,
    /// Position in the chain after the open messages.
    open_to: Sequence,
    /// Messages that no wave has been given yet.
    open: Vec<Arc<Message>>,
    /// Bytes of the open messages' bodies, which bound the next batch.
    open_bytes: usize,
    /// Arrival of the first message since the last flush, also of one that was dropped.
    open_since: Option<Duration>,
    /// Chat dropped from the open messages; the next batch of each wave reports the number.
    thinned: u64,
    /// Share of chat that is kept in the open batch; each squeeze halves it.
    squeezed_share: f64,
    sums: PulseSums,
    pulse_sent_at: Option<Duration>,
    /// Parts of the room's viewers that are served in turn: one at least.
    waves: Vec<Wave>,
    /// Lines of the messages that were given to waves; `None` while no viewer reads lines.
    lines: Option<Box<LineLog>>,
}

/// Messages and sums that one part of the viewers has not been sent yet.
#[derive(Debug, Clone, Default)]
struct Wave {
    /// Position in the chain after the messages that the wave was sent.
    sent: Sequence,
    messages: Vec<Arc<Message>>,
    /// Bytes of the bodies of `messages`, which bound the wave's next batch.
    bytes: usize,
    thinned: u64,
    pulse: Pulse,
    sent_at: Option<Duration>,
    /// Arrival of the first message that waits here.
    since: Option<Duration>,
}

/// Result of a flush: the contents for one wave.
#[derive(Debug)]
pub(crate) struct Flushed {
    pub(crate) wave: usize,
    pub(crate) contents: Contents,
    /// Due time of its messages; `None` without messages.
    pub(crate) due: Option<Duration>,
    /// Arrival of its first message; `None` without messages.
    pub(crate) since: Option<Duration>,
    /// Open messages that the flush gave to all waves.
    pub(crate) gathered: Counts,
}

/// Result of a change of the number of waves: messages that waited in them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Resized {
    /// Messages that new waves are to be sent as well.
    pub(crate) took: Counts,
    /// Messages that are not sent, because all viewers of their wave have gone.
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
            sums: PulseSums::default(),
            pulse_sent_at: None,
            waves: vec![Wave { sent: start, ..Wave::default() }],
            lines: None,
        }
    }

    /// Keeps lines from now on, or forgets them.
    pub(crate) fn keep_lines(&mut self, keeps: bool) {
        if keeps != self.lines.is_some() {
            self.lines = keeps.then(Box::default);
        }
    }

    /// Position in the chain after all messages taken so far.
    pub(crate) fn position(&self) -> Sequence {
        self.open_to
    }

    /// Messages that wait for a flush, by class.
    pub(crate) fn holds(&self) -> Counts {
        class_counts(&self.open)
    }

    /// Messages that wait for their wave's turn, by class, over all waves.
    pub(crate) fn waves_hold(&self) -> Counts {
        self.waves.iter().map(|wave| class_counts(&wave.messages)).sum()
    }

    pub(crate) fn waves(&self) -> usize {
        self.waves.len()
    }

    /// Changes the number of waves. A new wave starts at the position of the last of the others, so
    /// that its viewers miss nothing.
    pub(crate) fn resize(&mut self, waves: usize) -> Resized {
        let mut resized = Resized::default();
        while self.waves.len() > waves.max(1) {
            let gone = self.waves.pop().unwrap_or_default();
            resized.gone += class_counts(&gone.messages);
        }
        while self.waves.len() < waves {
            let last = self.waves.iter().min_by_key(|wave| wave.sent).cloned().unwrap_or_default();
            resized.took += class_counts(&last.messages);
            self.waves.push(last);
        }
        resized
    }

    /// Whether the next batch is full, so that it is sent before its window ends.
    pub(crate) fn is_full(&self) -> bool {
        let messages = self.waves.iter().map(|wave| wave.messages.len()).max().unwrap_or_default();
        self.open.len() + messages >= self.pace.messages_max || self.bytes() >= self.pace.bytes_max
    }

    /// Bytes of the bodies of the largest next batch.
    fn bytes(&self) -> usize {
        self.open_bytes + self.waves.iter().map(|wave| wave.bytes).max().unwrap_or_default()
    }

    /// Adds the next message of the chain, which came at `now`; false when it is dropped.
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

    /// Adds a signal ahead of its place in the chain, which stays as it is: the signal comes again there.
    pub(crate) fn push_ahead(&mut self, message: Arc<Message>, now: Duration) {
        self.open_since.get_or_insert(now);
        self.open_bytes += message.body.len();
        self.open.push(message);
    }

    /// Drops about half of the open chat; returns how many messages. Gateways that squeeze as often
    /// keep the same chat.
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

    /// Moves the position past a message of the chain that no viewer gets, because it was hidden.
    pub(crate) fn pass(&mut self, sequence: Sequence, now: Duration) {
        self.open_to = sequence;
        self.open_since.get_or_insert(now);
    }

    /// Counts chat of the chain that the bus did not return.
    pub(crate) fn skip(&mut self, chat: u64) {
        self.thinned += chat;
    }

    /// Adds figures for the next pulse.
    pub(crate) fn add_pulse(&mut self, draft: &PulseDraft) {
        self.sums.add(draft);
    }

    /// Sets the number of viewers for the next pulse, which brings it when it has changed.
    pub(crate) fn set_online(&mut self, online: u64) {
        self.sums.set_online(online);
    }

    /// Notes that viewers have joined, who need the votes of a running poll.
    pub(crate) fn note_newcomers(&mut self) {
        self.sums.note_newcomers();
    }

    /// Whether signals or gifts wait to be sent.
    pub(crate) fn has_precious(&self) -> bool {
        let waiting = self.waves.iter().flat_map(|wave| &wave.messages);
        self.open.iter().chain(waiting).any(|message| message.class.is_precious())
    }

    /// Whether a wave has news to be sent: messages, kept or dropped, or its pulse.
    pub(crate) fn has_waiting(&self) -> bool {
        self.next().is_some()
    }

    /// Due time of the next batch; `None` when there is nothing to send.
    pub(crate) fn due(&self) -> Option<Duration> {
        let waves = self.next().map(|(due, _)| due);
        let has_pulse = !self.sums.is_empty();
        let pulse = self.pace.pulse.filter(|_| has_pulse).map(|every| after(self.pulse_sent_at, every));
        match (waves, pulse) {
            (Some(waves), Some(pulse)) => Some(waves.min(pulse)),
            (waves, pulse) => waves.or(pulse),
        }
    }

    /// Due time and index of the wave whose turn comes first. A wave without news has no turn.
    fn next(&self) -> Option<(Duration, usize)> {
        let is_due = self.is_full() || self.bytes() >= self.pace.bytes_due;
        let turn = |(index, wave): (usize, &Wave)| {
            let has_news = self.open_to > wave.sent
                || !wave.pulse.is_empty()
                || !(self.open.is_empty() && wave.messages.is_empty());
            let due = if is_due { Duration::ZERO } else { after(wave.sent_at, self.pace.window) };
            // Full batches go at once, and still in turn.
            has_news.then_some((due, wave.sent_at, index))
        };
        self.waves.iter().enumerate().filter_map(turn).min().map(|(due, _, index)| (due, index))
    }

    /// Gives the open messages to all waves. Returns the messages that the wave whose turn it is has
    /// not been sent, and the pulse once its time has come.
    pub(crate) fn flush(&mut self, now: Duration, room: &RoomId) -> Flushed {
        let gathered = self.gather(now);
        let index = self.next().map_or(0, |(_, index)| index);
        let (effort, open_to) = (self.pace.effort, self.open_to);
        let wave = &mut self.waves[index];
        let turn = after(wave.sent_at, self.pace.window);
        let since = wave.since.take();
        let due = since.map(|since| turn.max(since));
        if open_to > wave.sent || !wave.messages.is_empty() {
            wave.sent_at = Some(now);
        }
        let mut contents = Contents {
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
            lines: None,
        };
        if let Some(log) = &mut self.lines {
            let trail_bytes = self.pace.trail_bytes;
            contents.lines = log.batch(&contents.writer(), contents.messages.len(), trail_bytes);
            let sent = self.waves.iter().map(|wave| wave.sent).min().unwrap_or(open_to);
            log.trim(sent, trail_bytes);
        }
        Flushed { wave: index, contents, due, since, gathered }
    }

    fn gather(&mut self, now: Duration) -> Counts {
        let is_pulse_due =
            self.pace.pulse.is_some_and(|every| self.pulse_sent_at.is_none_or(|at| now >= at + every));
        let pulse = if is_pulse_due { self.take_pulse(now) } else { Pulse::default() };
        let messages = std::mem::take(&mut self.open);
        self.log(&messages);
        let bytes = std::mem::take(&mut self.open_bytes);
        let thinned = std::mem::take(&mut self.thinned);
        let since = self.open_since.take();
        self.squeezed_share = 1.0;
        for wave in &mut self.waves {
            wave.since = wave.since.or(since);
            wave.messages.extend_from_slice(&messages);
            wave.bytes += bytes;
            wave.thinned += thinned;
            merge(&mut wave.pulse, &pulse);
        }
        class_counts(&messages)
    }

    /// Writes messages as lines. Signals ahead of their place have none: their batches go as JSON.
    fn log(&mut self, messages: &[Arc<Message>]) {
        let Some(log) = &mut self.lines else { return };
        for message in messages.iter().filter(|message| message.sequence <= self.open_to) {
            let (sequence, class, id) = (message.sequence, message.class, message.id.as_ref());
            if !log.push(LineItem { sequence, class, id, body: &message.body }) {
                tracing::debug!(%sequence, "a message has no line; its batch goes as JSON");
            }
        }
    }

    /// Drops the sums that wait; returns the likes, entries and reactions in them.
    pub(crate) fn drop_pulse(&mut self) -> u64 {
        self.sums.drop_sums()
    }

    fn take_pulse(&mut self, now: Duration) -> Pulse {
        let pulse = self.sums.take();
        if !pulse.is_empty() {
            self.pulse_sent_at = Some(now);
        }
        pulse
    }
}

fn after(at: Option<Duration>, time: Duration) -> Duration {
    at.map_or(Duration::ZERO, |at| at + time)
}

#[cfg(test)]
mod tests;
