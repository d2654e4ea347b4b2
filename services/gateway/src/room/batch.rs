use std::sync::{Arc, OnceLock};
use std::time::Instant;

use barrage_class::{ByClass, Counts};
use barrage_protocol::batch::{BatchItem, BatchWriter, LeftOut, Pulse};
use barrage_protocol::deflate::DEFLATE_BYTES_MIN;
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::lines::LineBatch;
use barrage_protocol::{Message, RoomId, Sequence};
use barrage_ws::server;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::socket::{Encoding, encode};

/// Wire encodings of one JSON frame, each made on first use.
#[derive(Debug, Default)]
struct Encoded {
    json: OnceLock<Bytes>,
    text: OnceLock<Bytes>,
    deflated: OnceLock<Bytes>,
    lines: OnceLock<Bytes>,
}

/// Frame of a batch for viewers that have the lines before it, made on first use.
#[derive(Debug)]
struct Behind {
    /// Text before the batch, until the frame is made.
    trail: Mutex<Vec<u8>>,
    frame: OnceLock<Bytes>,
}

/// Content of a batch: messages in chain order over the range (`previous`, `sequence`].
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) room: RoomId,
    pub(crate) previous: Sequence,
    pub(crate) sequence: Sequence,
    pub(crate) messages: Vec<Arc<Message>>,
    /// Chat of the range that was dropped.
    pub(crate) thinned: u64,
    pub(crate) pulse: Pulse,
    /// Compression effort of deflate, 1 to 9.
    pub(crate) effort: u8,
    /// The batch as lines; `None` where it has none, so that it goes as JSON.
    pub(crate) lines: Option<LineBatch>,
}

impl Contents {
    /// Fields of the frame beside the messages.
    pub(super) fn writer(&self) -> BatchWriter {
        let left_out = LeftOut { chat: self.thinned };
        let (previous, sequence, pulse) = (self.previous, self.sequence, self.pulse.clone());
        BatchWriter { previous, sequence, left_out, pulse, repair: None }
    }
}

/// Batch of one room, encoded once per wire encoding and shared by all its viewers.
#[derive(Debug)]
pub(crate) struct SharedBatch {
    contents: Contents,
    pub(crate) counts: Counts,
    pub(crate) made_at: Instant,
    /// Due moment; the time from here to the last write is lag.
    pub(crate) due_at: Instant,
    /// Age of the oldest message of each class at `made_at`, by the machines' clocks; `None` for a
    /// class without messages.
    pub(crate) waited_ms: ByClass<Option<u64>>,
    full: Encoded,
    counted: Encoded,
    thin: Encoded,
    behind: Option<Behind>,
}

impl std::ops::Deref for SharedBatch {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl SharedBatch {
    /// Builds a batch of these contents. `now_ms` is Unix time, less the delay of viewers: their delay is
    /// no wait.
    pub(crate) fn new(mut contents: Contents, now_ms: u64, due_at: Instant) -> Self {
        let counts = class_counts(&contents.messages);
        let waited_ms = waits(&contents.messages, now_ms);
        let (full, counted, thin) = (Encoded::default(), Encoded::default(), Encoded::default());
        let behind = contents.lines.as_mut().filter(|lines| lines.trail_from().is_some());
        let behind =
            behind.map(|lines| Behind { trail: Mutex::new(lines.take_trail()), frame: OnceLock::new() });
        let made_at = barrage_clock::now();
        SharedBatch { contents, counts, made_at, due_at, waited_ms, full, counted, thin, behind }
    }

    /// Age of the oldest message at `made_at`; `None` without messages.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        self.waited_ms.iter().filter_map(|(_, waited_ms)| *waited_ms).max()
    }

    /// Whether another wave's contents are the same, so that both waves can share this batch.
    pub(crate) fn has_same_contents(&self, other: &Contents) -> bool {
        let of = |it: &Contents| (it.previous, it.sequence, it.messages.len(), it.thinned, it.effort);
        // Signals ahead of their place come in batches of one and the same range.
        let newest = |it: &Contents| it.messages.last().map(|message| message.sequence);
        of(&self.contents) == of(other)
            && newest(&self.contents) == newest(other)
            && self.contents.pulse == other.pulse
    }

    /// Whether the batch moves no position: sums, and signals ahead of their place in a room with a delay.
    pub(crate) fn is_beside_the_chain(&self) -> bool {
        if self.messages.is_empty() { !self.pulse.is_empty() } else { self.previous == self.sequence }
    }

    /// Chat messages that a slow viewer's queue may still drop.
    pub(crate) fn chat(&self) -> u64 {
        self.counts.chat
    }

    /// Whether the batch has signals or gifts.
    pub(crate) fn has_precious(&self) -> bool {
        self.counts.precious() > 0
    }

    /// JSON of the whole batch, written on the first call.
    pub(crate) fn json(&self) -> &Bytes {
        self.full.json.get_or_init(|| self.write(Detail::Full))
    }

    /// WebSocket frame of the whole batch, encoded once for all viewers of one encoding.
    pub(crate) fn frame(&self, encoding: Encoding) -> &Bytes {
        match &self.lines {
            Some(lines) if encoding.is_lines() => {
                self.full.lines.get_or_init(|| server::binary(&lines.alone(self.effort.into())))
            }
            Some(_) | None => self.encoded(&self.full, self.json(), encoding),
        }
    }

    /// Sequence of the oldest message to which [`SharedBatch::frame_behind`] refers.
    pub(crate) fn trail_from(&self) -> Option<Sequence> {
        self.lines.as_ref().and_then(LineBatch::trail_from)
    }

    /// WebSocket frame of the whole batch for viewers that were sent all lines from
    /// [`SharedBatch::trail_from`] up to the batch; `None` where the batch refers to none.
    pub(crate) fn frame_behind(&self) -> Option<&Bytes> {
        let (lines, behind) = self.lines.as_ref().zip(self.behind.as_ref())?;
        let encode = || {
            let trail = std::mem::take(&mut *behind.trail.lock());
            server::binary(&lines.behind(&trail, self.effort.into()))
        };
        Some(behind.frame.get_or_init(encode))
    }

    /// WebSocket frame for viewers that see nothing of it: without chat, which is counted as dropped. The pulse
    /// stays, because a page in the background goes on counting.
    pub(crate) fn counted_frame(&self, encoding: Encoding) -> &Bytes {
        let json = self.counted.json.get_or_init(|| self.write(Detail::Counted));
        self.encoded(&self.counted, json, encoding)
    }

    /// WebSocket frame without chat and pulse; the chat is counted as dropped.
    pub(crate) fn thin_frame(&self, encoding: Encoding) -> &Bytes {
        let json = self.thin.json.get_or_init(|| self.write(Detail::Thin));
        self.encoded(&self.thin, json, encoding)
    }

    fn encoded<'a>(&self, slot: &'a Encoded, json: &[u8], encoding: Encoding) -> &'a Bytes {
        let encoding = encoding.with_effort(self.effort);
        match encoding {
            Encoding::Json => slot.text.get_or_init(|| encode(json, encoding)),
            Encoding::Deflate { .. } | Encoding::Lines { .. } if json.len() < DEFLATE_BYTES_MIN => {
                slot.text.get_or_init(|| encode(json, Encoding::Json))
            }
            Encoding::Deflate { .. } => slot.deflated.get_or_init(|| encode(json, encoding)),
            Encoding::Lines { .. } => slot.lines.get_or_init(|| encode(json, encoding)),
        }
    }

    fn write(&self, detail: Detail) -> Bytes {
        let mut writer = self.writer();
        if detail != Detail::Full {
            writer.left_out.chat += self.chat();
        }
        if detail == Detail::Thin {
            writer.pulse = Pulse::default();
        }
        let is_chosen = |message: &&Arc<Message>| detail == Detail::Full || message.class.is_precious();
        write(&writer, &self.room, self.messages.iter().filter(is_chosen))
    }
}

/// Messages that a frame of a batch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// All messages of the batch, and its pulse.
    Full,
    /// Signals, gifts and the pulse; chat is counted as dropped.
    Counted,
    /// Signals and gifts; chat is counted as dropped.
    Thin,
}

/// Returns the age of the oldest message of each class, which is the first one in the chain.
fn waits(messages: &[Arc<Message>], now_ms: u64) -> ByClass<Option<u64>> {
    let mut waits = ByClass::default();
    for message in messages.iter().rev() {
        if let Some(wait) = waits.get_mut(message.class) {
            *wait = Some(now_ms.saturating_sub(message.at_ms));
        }
    }
    waits
}

/// Counts messages by class. Pulses are never among them.
pub(super) fn class_counts(messages: &[Arc<Message>]) -> Counts {
    messages.iter().map(|message| message.class).collect()
}

/// JSON of a batch without messages, which reports the chat dropped from its range.
pub(crate) fn skip_json(room: &RoomId, previous: Sequence, sequence: Sequence, chat: u64) -> Bytes {
    let writer = BatchWriter { previous, sequence, left_out: LeftOut { chat }, ..BatchWriter::default() };
    write(&writer, room, std::iter::empty())
}

/// JSON of the answer to a resume or a repair, over the range (`previous`, `sequence`].
pub(crate) fn repair_json(
    room: &RoomId,
    (previous, sequence): (Sequence, Sequence),
    messages: &[Arc<Message>],
    repair: Option<(RepairOutcome, u64)>,
) -> Bytes {
    let chat = repair.map_or(0, |(_, skipped)| skipped);
    let writer =
        BatchWriter { previous, sequence, left_out: LeftOut { chat }, pulse: Pulse::default(), repair };
    write(&writer, room, messages.iter())
}

/// Bytes of one message's fields around its body, at most.
const MESSAGE_FRAME_BYTES: usize = 48;
/// Bytes of a batch's own fields, at most.
const BATCH_FRAME_BYTES: usize = 192;

fn write<'a>(
    writer: &BatchWriter,
    room: &RoomId,
    messages: impl Iterator<Item = &'a Arc<Message>> + Clone,
) -> Bytes {
    let bytes: usize = messages.clone().map(|m| m.body.len() + MESSAGE_FRAME_BYTES).sum();
    let mut out = Vec::with_capacity(bytes + BATCH_FRAME_BYTES);
    let items = messages.map(|m| BatchItem { sequence: m.sequence, class: m.class, body: &m.body });
    writer.write(&mut out, room, items);
    out.into()
}

#[cfg(test)]
pub(crate) mod tests {
    use barrage_protocol::Class;
    use barrage_protocol::frame::{Batch, ServerFrame};

    use super::*;

    /// A message of the room `demo` whose chain has no gap.
    pub(crate) fn message(sequence: u64, class: Class) -> Arc<Message> {
        Arc::new(Message {
            room: "demo".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence(sequence - 1),
            class,
            sender: None,
            id: None,
            to: None,
            at_ms: 0,
            trace: None,
            body: r#"{"type":"chat","text":"hello hello hello"}"#.into(),
        })
    }

    /// A batch of the messages behind `previous`.
    pub(crate) fn batch_of(previous: u64, classes: &[Class]) -> Arc<SharedBatch> {
        let numbers = previous + 1..;
        let messages: Vec<_> = numbers.zip(classes).map(|(n, class)| message(n, *class)).collect();
        let contents = Contents {
            room: "demo".parse().unwrap(),
            previous: Sequence(previous),
            sequence: Sequence(previous + classes.len() as u64),
            messages,
            thinned: 0,
            pulse: Pulse::default(),
            effort: 3,
            lines: None,
        };
        Arc::new(SharedBatch::new(contents, 0, barrage_clock::now()))
    }

    fn read(frame: &[u8]) -> Batch {
        let place = barrage_ws::client::read(frame, usize::MAX).unwrap().unwrap();
        match ServerFrame::parse(place.payload_in(frame)).unwrap() {
            ServerFrame::Batch(batch) => batch,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_thin_frame_has_signals_and_gifts_and_counts_the_chat() {
        let batch = batch_of(4, &[Class::Chat, Class::Gift, Class::Chat]);
        let (full, thin) = (read(batch.frame(Encoding::Json)), read(batch.thin_frame(Encoding::Json)));
        assert_eq!((full.messages.len(), full.left_out.chat), (3, 0));
        assert_eq!((thin.messages.len(), thin.left_out.chat), (1, 2));
        assert_eq!((thin.previous, thin.sequence), (full.previous, full.sequence));
    }

    #[test]
    fn a_counted_frame_keeps_the_pulse_and_counts_the_chat() {
        let contents = Contents {
            room: "demo".parse().unwrap(),
            previous: Sequence(4),
            sequence: Sequence(6),
            messages: vec![message(5, Class::Chat), message(6, Class::Signal)],
            thinned: 3,
            pulse: Pulse { likes: 7, ..Pulse::default() },
            effort: 3,
            lines: None,
        };
        let batch = SharedBatch::new(contents, 0, barrage_clock::now());
        let counted = read(batch.counted_frame(Encoding::Json));
        let sequences: Vec<_> = counted.messages.iter().map(|message| message.sequence.0).collect();
        assert_eq!((sequences, counted.left_out.chat), (vec![6], 4));
        assert_eq!((counted.pulse.unwrap().likes, counted.sequence), (7, Sequence(6)));
        assert_eq!(read(batch.thin_frame(Encoding::Json)).pulse, None);
    }

    #[test]
    fn each_class_waits_since_its_oldest_message() {
        let mut messages = [Class::Chat, Class::Gift, Class::Chat].map(|class| (*message(1, class)).clone());
        for (message, at_ms) in messages.iter_mut().zip([100, 200, 300]) {
            message.at_ms = at_ms;
        }
        let waits = waits(&messages.map(Arc::new), 1_000);
        assert_eq!(waits, ByClass { signal: None, gift: Some(800), chat: Some(900) });
    }

    #[test]
    fn batches_of_one_range_with_other_signals_ahead_of_their_place_differ() {
        let contents = |newest| Contents {
            room: "demo".parse().unwrap(),
            previous: Sequence(4),
            sequence: Sequence(4),
            messages: vec![message(newest, Class::Signal)],
            thinned: 0,
            pulse: Pulse::default(),
            effort: 3,
            lines: None,
        };
        let batch = SharedBatch::new(contents(7), 0, barrage_clock::now());
        assert!(batch.has_same_contents(&contents(7)) && !batch.has_same_contents(&contents(9)));
    }

    #[test]
    fn each_encoding_is_made_once() {
        let batch = batch_of(0, &[Class::Chat]);
        let frame = batch.frame(Encoding::Json).as_ptr();
        assert_eq!(batch.frame(Encoding::Json).as_ptr(), frame);
    }
}
