//! One batch of one room: built once, encoded once per wire encoding, shared by
//! every viewer.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use barrage_flow::Counts;
use barrage_protocol::batch::{BatchItem, BatchWriter, LeftOut, Pulse};
use barrage_protocol::deflate::{DEFLATE_BYTES_MIN, deflate};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Message, RoomId, Sequence};
use bytes::Bytes;

use crate::wire;

/// How a viewer's frames are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// JSON in text frames.
    Json,
    /// JSON, deflated in binary frames where that gains something.
    Deflate {
        /// 1 to 9.
        effort: u8,
    },
}

/// JSON of one frame as a WebSocket frame in the given encoding.
pub(crate) fn encode(json: &[u8], encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Deflate { effort } if json.len() >= DEFLATE_BYTES_MIN => {
            wire::binary(&deflate(json, effort.into()))
        }
        Encoding::Json | Encoding::Deflate { .. } => wire::text(json),
    }
}

/// The two wire encodings of one JSON frame, each made when first asked for.
#[derive(Debug, Default)]
struct Encoded {
    json: OnceLock<Bytes>,
    text: OnceLock<Bytes>,
    deflated: OnceLock<Bytes>,
}

/// What a batch is made of: messages in chain order over the range (`previous`,
/// `sequence`].
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) room: RoomId,
    pub(crate) previous: Sequence,
    pub(crate) sequence: Sequence,
    pub(crate) messages: Vec<Arc<Message>>,
    /// Chat of the range that is not among the messages.
    pub(crate) thinned: u64,
    pub(crate) pulse: Pulse,
    /// Effort of deflate, 1 to 9.
    pub(crate) effort: u8,
}

/// Contents, and what is made of them once for all viewers.
#[derive(Debug)]
pub(crate) struct SharedBatch {
    contents: Contents,
    pub(crate) counts: Counts,
    pub(crate) made_at: Instant,
    /// When its turn came: from then to the last write is lag.
    pub(crate) due_at: Instant,
    /// How long its oldest message had been accepted then, by the machines' clocks;
    /// none when there are only sums.
    pub(crate) waited_ms: Option<u64>,
    full: Encoded,
    thin: Encoded,
}

impl std::ops::Deref for SharedBatch {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl SharedBatch {
    /// `now_ms` is Unix time; `due_at` is when its turn came.
    pub(crate) fn new(contents: Contents, now_ms: u64, due_at: Instant) -> Self {
        let counts = counts(&contents.messages);
        let waited_ms = contents.messages.first().map(|oldest| now_ms.saturating_sub(oldest.at_ms));
        let (full, thin) = (Encoded::default(), Encoded::default());
        SharedBatch { contents, counts, made_at: Instant::now(), due_at, waited_ms, full, thin }
    }

    /// Whether the same would be sent: another wave's batch of the same moment.
    pub(crate) fn is(&self, other: &Contents) -> bool {
        let of = |it: &Contents| (it.previous, it.sequence, it.pulse, it.thinned, it.effort);
        of(&self.contents) == of(other)
    }

    /// Chat that can still be left out.
    pub(crate) fn chat(&self) -> u64 {
        self.counts[barrage_protocol::Class::Chat as usize]
    }

    pub(crate) fn has_precious(&self) -> bool {
        self.counts[0] + self.counts[1] > 0
    }

    /// The frame's JSON with every message.
    pub(crate) fn json(&self) -> &Bytes {
        self.full.json.get_or_init(|| self.write(false))
    }

    /// The whole batch as a WebSocket frame.
    pub(crate) fn frame(&self, encoding: Encoding) -> &Bytes {
        self.encoded(&self.full, self.json(), encoding)
    }

    /// Gifts and signals alone, the rest counted as left out.
    pub(crate) fn thin_frame(&self, encoding: Encoding) -> &Bytes {
        let json = self.thin.json.get_or_init(|| self.write(true));
        self.encoded(&self.thin, json, encoding)
    }

    fn encoded<'a>(&self, slot: &'a Encoded, json: &[u8], encoding: Encoding) -> &'a Bytes {
        match encoding {
            Encoding::Json => slot.text.get_or_init(|| encode(json, encoding)),
            Encoding::Deflate { .. } if json.len() < DEFLATE_BYTES_MIN => {
                slot.text.get_or_init(|| encode(json, Encoding::Json))
            }
            Encoding::Deflate { .. } => {
                let encoding = Encoding::Deflate { effort: self.effort };
                slot.deflated.get_or_init(|| encode(json, encoding))
            }
        }
    }

    fn write(&self, thin: bool) -> Bytes {
        let left_out = LeftOut { chat: self.thinned + if thin { self.chat() } else { 0 } };
        let pulse = if thin { Pulse::default() } else { self.pulse };
        let writer =
            BatchWriter { previous: self.previous, sequence: self.sequence, left_out, pulse, repair: None };
        let chosen = self.messages.iter().filter(|m| !thin || m.class.is_precious());
        write(&writer, &self.room, chosen)
    }
}

/// Messages by class.
pub(crate) fn counts(messages: &[Arc<Message>]) -> Counts {
    let mut counts = Counts::default();
    for message in messages {
        // Sums are never among them.
        counts[message.class as usize] += 1;
    }
    counts
}

/// A batch that only says what was left out of the range.
pub(crate) fn skip_json(room: &RoomId, previous: Sequence, sequence: Sequence, chat: u64) -> Bytes {
    let writer = BatchWriter { previous, sequence, left_out: LeftOut { chat }, ..BatchWriter::default() };
    write(&writer, room, std::iter::empty())
}

/// The answer to a resume or a repair.
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

fn write<'a>(
    writer: &BatchWriter,
    room: &RoomId,
    messages: impl Iterator<Item = &'a Arc<Message>> + Clone,
) -> Bytes {
    let bytes: usize = messages.clone().map(|m| m.body.len() + 48).sum();
    let mut out = Vec::with_capacity(bytes + 192);
    let items = messages.map(|m| BatchItem { sequence: m.sequence, class: m.class, body: &m.body });
    writer.write(&mut out, room, items);
    out.into()
}
