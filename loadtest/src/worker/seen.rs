//! Frames that this thread has seen. All viewers of a room get the same bytes, so that a
//! batch is parsed once, and for the next viewer compared: what the tester spends on a
//! delivery must not be what is measured.

use std::collections::VecDeque;
use std::rc::Rc;

use barrage_protocol::Class;
use barrage_protocol::deflate::inflate;
use barrage_protocol::frame::{Batch, RepairOutcome, ServerFrame};
use serde::Deserialize;

use super::frame::{FRAME_BYTES_MAX, Opcode};
use super::marker::intended;
use crate::clock::Moment;
use crate::ledger::{Ledger, mix};

/// Frames remembered per room: a viewer that lags by more has its own parsed again.
const FRAMES_MAX: usize = 8;

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

/// One message of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SeenMessage {
    pub(crate) sequence: u64,
    pub(crate) class: Class,
    /// When it was meant to be sent; none for a message that is not ours.
    pub(crate) intended: Option<Moment>,
}

/// What a frame says.
#[derive(Debug)]
pub(crate) enum Said {
    Batch(Rc<SeenBatch>),
    Other(Box<ServerFrame>),
}

/// A thread's memory of frames, and with it of everything that was sent.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    rooms: Vec<VecDeque<(Vec<u8>, Rc<SeenBatch>)>>,
    pub(crate) ledger: Ledger,
}

/// What a body must have to be recognised.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    user: Option<std::borrow::Cow<'a, str>>,
}

impl Seen {
    pub(crate) fn new(rooms: usize) -> Self {
        Seen { rooms: vec![VecDeque::new(); rooms], ledger: Ledger::default() }
    }

    /// Reads a text or binary frame of a room.
    pub(crate) fn read(&mut self, room: usize, opcode: Opcode, payload: &[u8]) -> Result<Said, String> {
        if let Some((_, batch)) = self.rooms[room].iter().find(|(bytes, _)| bytes == payload) {
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
        // A repair is for one viewer.
        if batch.repair.is_none() {
            let frames = &mut self.rooms[room];
            frames.truncate(FRAMES_MAX - 1);
            frames.push_front((payload.to_vec(), Rc::clone(&seen)));
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
            // Ours are unique by themselves.
            let name = hash(if intended.is_some() { "" } else { user }, id);
            self.sent(room, message.class, message.sequence.0, name);
            messages.push(SeenMessage { sequence: message.sequence.0, class: message.class, intended });
        }
        SeenBatch {
            previous: batch.previous.0,
            sequence: batch.sequence.0,
            messages,
            left_out: batch.left_out.chat,
            likes: batch.pulse.map_or(0, |pulse| pulse.likes),
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

    /// A post of ours was answered with a position.
    pub(crate) fn accepted(&mut self, room: usize, class: Class, sequence: u64, id: &str) {
        self.sent(room, class, sequence, hash("", id));
    }
}

/// A message's name: its sender and id.
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
    fn a_frame_is_parsed_once_whatever_it_is_wrapped_in() {
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
    fn nonsense_is_an_error() {
        assert!(Seen::new(1).read(0, Opcode::Text, b"nonsense").is_err());
        assert!(Seen::new(1).read(0, Opcode::Binary, b"nonsense").is_err());
    }
}
