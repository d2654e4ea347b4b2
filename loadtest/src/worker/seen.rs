//! Frames that this thread has read. All viewers of a room receive the same bytes, so a batch is
//! parsed once and compared for the other viewers: the load tester's own cost for a delivery must
//! stay small.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use barrage_protocol::Class;
use barrage_protocol::deflate::inflate;
use barrage_protocol::frame::{Batch, RepairOutcome, ServerFrame};
use barrage_ws::Opcode;
use serde::Deserialize;

use super::marker::intended;
use crate::clock::Moment;
use crate::measure::ledger::{Ledger, mix};

/// Greatest size of a frame of the server, in bytes, also after inflation.
pub(crate) const FRAME_BYTES_MAX: usize = 8 << 20;
/// Frames that are kept, shared among the rooms; a viewer that lags by more has its frames parsed
/// again. A room of a large fleet has some hundred at a time: each gateway makes its own, and each
/// wave of viewers is sent another.
const FRAMES_MAX: usize = 2_048;
/// Frames that are kept for one room.
const ROOM_FRAMES: std::ops::RangeInclusive<usize> = 8..=512;
/// Bytes at the beginning of a frame that contain its position in the chain.
const KEY_BYTES: usize = 128;

/// A batch, reduced to what is checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenBatch {
    pub(crate) previous: u64,
    pub(crate) sequence: u64,
    pub(crate) messages: Vec<SeenMessage>,
    pub(crate) left_out: u64,
    pub(crate) likes: u64,
    pub(crate) repair: Option<(RepairOutcome, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SeenMessage {
    pub(crate) sequence: u64,
    pub(crate) class: Class,
    /// Intended send time; absent for a message of another sender.
    pub(crate) intended: Option<Moment>,
}

#[derive(Debug)]
pub(crate) enum Said {
    Batch(Rc<SeenBatch>),
    Other(Box<ServerFrame>),
}

/// A thread's store of frames, and of everything that was sent.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    rooms: Vec<Frames>,
    pub(crate) ledger: Ledger,
}

/// Newest frames of one room, parsed once for all viewers of the thread.
#[derive(Debug, Clone, Default)]
struct Frames {
    by_key: HashMap<u64, (Vec<u8>, Rc<SeenBatch>)>,
    /// Keys of the kept frames, the oldest first.
    keys: VecDeque<u64>,
}

impl Frames {
    fn get(&self, key: u64, payload: &[u8]) -> Option<&Rc<SeenBatch>> {
        self.by_key.get(&key).filter(|(bytes, _)| bytes == payload).map(|(_, batch)| batch)
    }

    fn insert(&mut self, key: u64, payload: &[u8], batch: Rc<SeenBatch>, frames_max: usize) {
        if self.by_key.insert(key, (payload.to_vec(), batch)).is_none() {
            self.keys.push_back(key);
        }
        while self.keys.len() > frames_max {
            self.keys.pop_front().map(|oldest| self.by_key.remove(&oldest));
        }
    }
}

/// Fields of a message body that identify it.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    user: Option<std::borrow::Cow<'a, str>>,
}

impl Seen {
    pub(crate) fn new(rooms: usize) -> Self {
        Seen { rooms: vec![Frames::default(); rooms], ledger: Ledger::default() }
    }

    /// Reads a text or binary frame of a room.
    pub(crate) fn read(&mut self, room: usize, opcode: Opcode, payload: &[u8]) -> Result<Said, String> {
        let mut key = DefaultHasher::new();
        payload[..payload.len().min(KEY_BYTES)].hash(&mut key);
        let key = key.finish();
        if let Some(batch) = self.rooms[room].get(key, payload) {
            return Ok(Said::Batch(Rc::clone(batch)));
        }
        let inflated;
        let json = if opcode == Opcode::Binary {
            inflated = inflate(payload, FRAME_BYTES_MAX).map_err(|error| error.to_string())?;
            &inflated
        } else {
            payload
        };
        let batch = match ServerFrame::parse(json).map_err(|error| error.to_string())? {
            ServerFrame::Batch(batch) => batch,
            other => return Ok(Said::Other(Box::new(other))),
        };
        let seen = Rc::new(self.reduce(room, &batch));
        // A repair is for one viewer, so it is not kept.
        if batch.repair.is_none() {
            let frames_max = (FRAMES_MAX / self.rooms.len()).clamp(*ROOM_FRAMES.start(), *ROOM_FRAMES.end());
            self.rooms[room].insert(key, payload, Rc::clone(&seen), frames_max);
        }
        Ok(Said::Batch(seen))
    }

    fn reduce(&mut self, room: usize, batch: &Batch) -> SeenBatch {
        let mut messages = Vec::with_capacity(batch.messages.len());
        for message in &batch.messages {
            let body: Option<Body<'_>> = serde_json::from_str(message.body.get()).ok();
            let id = body.as_ref().and_then(|body| body.id.as_deref()).unwrap_or_default();
            let intended = intended(id);
            let user = body.as_ref().and_then(|body| body.user.as_deref()).unwrap_or_default();
            // Ids of the load tester are unique without the sender.
            let name = hash(if intended.is_some() { "" } else { user }, id);
            self.sent(room, message.class, message.sequence.0, name);
            messages.push(SeenMessage { sequence: message.sequence.0, class: message.class, intended });
        }
        SeenBatch {
            previous: batch.previous.0,
            sequence: batch.sequence.0,
            messages,
            left_out: batch.left_out.chat,
            likes: batch.pulse.as_ref().map_or(0, |pulse| pulse.likes),
            repair: batch.repair.map(|repair| (repair.outcome, repair.skipped)),
        }
    }

    fn sent(&mut self, room: usize, class: Class, sequence: u64, id: u64) {
        let room = self.ledger.rooms.entry(room as u32).or_default();
        match class {
            Class::Gift => drop(room.gifts.insert(sequence, id)),
            Class::Chat => drop(room.chats.insert(sequence)),
            Class::Signal | Class::Pulse => {}
        }
    }

    /// Notes that a post of this load tester was answered with a position.
    pub(crate) fn accepted(&mut self, room: usize, class: Class, sequence: u64, id: &str) {
        self.sent(room, class, sequence, hash("", id));
    }
}

/// Hash of a message's sender and id.
fn hash(user: &str, id: &str) -> u64 {
    user.bytes().chain([0]).chain(id.bytes()).fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: &str = r#"{"type":"batch","room":"demo","previous":41,"sequence":44,"messages":[
        {"sequence":42,"class":"chat","body":{"type":"chat","id":"lt.77.1.1.1","user":"u","text":"x"}},
        {"sequence":44,"class":"gift","body":{"type":"gift","id":"g-1","user":"u"}}],
        "left_out":{"chat":1},"pulse":{"likes":5}}"#;

    fn batch(said: Said) -> Rc<SeenBatch> {
        match said {
            Said::Batch(batch) => batch,
            Said::Other(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn frame_is_parsed_once_in_any_encoding() {
        let mut seen = Seen::new(1);
        let text = batch(seen.read(0, Opcode::Text, BATCH.as_bytes()).unwrap());
        let again = batch(seen.read(0, Opcode::Text, BATCH.as_bytes()).unwrap());
        assert!(Rc::ptr_eq(&text, &again));
        let deflated = barrage_protocol::deflate::deflate(BATCH.as_bytes(), 3);
        assert_eq!(batch(seen.read(0, Opcode::Binary, &deflated).unwrap()), text);
        assert_eq!((text.previous, text.sequence, text.left_out, text.likes), (41, 44, 1, 5));
        assert_eq!(text.messages[0].intended, Some(Moment(77)));
        assert_eq!(text.messages[1].intended, None);
        let room = &seen.ledger.rooms[&0];
        assert!(room.gifts.contains_key(&44) && room.chats.contains(&42));
    }

    #[test]
    fn malformed_frame_is_an_error() {
        assert!(Seen::new(1).read(0, Opcode::Text, b"nonsense").is_err());
        assert!(Seen::new(1).read(0, Opcode::Binary, b"nonsense").is_err());
    }
}
