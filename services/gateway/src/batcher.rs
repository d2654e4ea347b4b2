//! When a room's open batch is sent: at once while the room is quiet, at the
//! window's end while it is busy. Pure.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::batch::Pulse;
use barrage_protocol::{Message, RoomId, Sequence};

use crate::batch::SharedBatch;

/// Windows and bounds; times are since the hub's start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) batch: Duration,
    pub(crate) pulse: Duration,
    pub(crate) messages_max: usize,
}

#[derive(Debug)]
pub(crate) struct Batcher {
    windows: Windows,
    /// The chain's position after what was sent.
    sent: Sequence,
    /// The chain's position after what is open.
    open_to: Sequence,
    open: Vec<Arc<Message>>,
    likes: u64,
    online: Option<u64>,
    online_sent: Option<u64>,
    sent_at: Option<Duration>,
    pulse_sent_at: Option<Duration>,
}

impl Batcher {
    pub(crate) fn new(start: Sequence, windows: Windows) -> Self {
        Batcher {
            windows,
            sent: start,
            open_to: start,
            open: Vec::new(),
            likes: 0,
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

    /// Adds the next message of the chain.
    pub(crate) fn push(&mut self, message: Arc<Message>) {
        self.open_to = message.sequence;
        self.open.push(message);
    }

    pub(crate) fn like(&mut self, likes: u64) {
        self.likes = self.likes.saturating_add(likes);
    }

    /// Tells the number of viewers; sent when it changed.
    pub(crate) fn online(&mut self, online: u64) {
        self.online = (self.online_sent != Some(online)).then_some(online);
    }

    /// When the open batch is due; `None` when there is nothing to send.
    pub(crate) fn due(&self) -> Option<Duration> {
        let after = |sent: Option<Duration>, window| sent.map_or(Duration::ZERO, |at| at + window);
        let messages = match self.open.len() {
            0 => None,
            len if len >= self.windows.messages_max => Some(Duration::ZERO),
            _ => Some(after(self.sent_at, self.windows.batch)),
        };
        let pulse =
            (self.likes > 0 || self.online.is_some()).then(|| after(self.pulse_sent_at, self.windows.pulse));
        match (messages, pulse) {
            (Some(messages), Some(pulse)) => Some(messages.min(pulse)),
            (messages, pulse) => messages.or(pulse),
        }
    }

    /// Takes what is open at `now`.
    pub(crate) fn flush(&mut self, now: Duration, room: &RoomId) -> SharedBatch {
        let pulse = Pulse { likes: std::mem::take(&mut self.likes), online: self.online.take() };
        if !pulse.is_empty() {
            self.pulse_sent_at = Some(now);
            self.online_sent = pulse.online.or(self.online_sent);
        }
        let messages = std::mem::take(&mut self.open);
        if !messages.is_empty() {
            self.sent_at = Some(now);
        }
        let previous = std::mem::replace(&mut self.sent, self.open_to);
        SharedBatch::new(room.clone(), previous, self.open_to, messages, pulse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_protocol::Class;

    fn message(sequence: u64) -> Arc<Message> {
        Arc::new(Message {
            room: "r".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence(sequence - 1),
            class: Class::Chat,
            sender: None,
            id: None,
            to: None,
            at_ms: 0,
            body: "{}".into(),
        })
    }

    #[test]
    fn at_once_when_quiet_then_by_the_window() {
        let ms = Duration::from_millis;
        let room = "r".parse().unwrap();
        let windows = Windows { batch: ms(50), pulse: ms(1000), messages_max: 3 };
        let mut batcher = Batcher::new(Sequence(4), windows);
        assert_eq!(batcher.due(), None);
        batcher.push(message(5));
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        let batch = batcher.flush(ms(10), &room);
        assert_eq!((batch.previous, batch.sequence), (Sequence(4), Sequence(5)));
        batcher.push(message(6));
        batcher.push(message(7));
        assert_eq!(batcher.due(), Some(ms(60)));
        batcher.push(message(8));
        assert_eq!(batcher.due(), Some(Duration::ZERO), "full");
        assert_eq!(batcher.flush(ms(20), &room).messages.len(), 3);
        batcher.like(3);
        assert_eq!(batcher.due(), Some(Duration::ZERO));
        assert_eq!(batcher.flush(ms(30), &room).pulse.likes, 3);
        batcher.like(4);
        assert_eq!(batcher.due(), Some(ms(1030)));
        batcher.push(message(9));
        assert_eq!(batcher.flush(ms(70), &room).pulse.likes, 4, "likes ride along");
        batcher.online(2);
        batcher.flush(ms(2000), &room);
        batcher.online(2);
        assert_eq!(batcher.due(), None, "an unchanged count is not sent");
    }
}
