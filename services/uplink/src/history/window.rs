//! The newest messages of a room as JSON, encoded once: any page of them is a part of these bytes.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use barrage_protocol::Sequence;
use barrage_protocol::post::History;
use bytes::Bytes;
use http::HeaderValue;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::page::FRAME_BYTES;
use crate::answer_memory::Reserved;

/// Messages of a window: a page without a `limit`.
pub(crate) const WINDOW_MESSAGES: usize = 100;
/// Pages of a window that are kept as whole answers: those of the first two limits that are asked for. Pages
/// of the site have the same limit for all viewers.
const READY_MAX: usize = 2;
/// Bytes of a window beside its messages and their places.
const OVERHEAD_BYTES: usize = 512;

/// A message's end in the bytes of a window.
#[derive(Debug, Clone, Copy)]
struct Place {
    sequence: Sequence,
    end: usize,
}

/// The newest messages of a room that one view has.
#[derive(Debug)]
pub(crate) struct Window {
    /// Messages as JSON, oldest first, with commas in between.
    json: Vec<u8>,
    places: Vec<Place>,
    /// Whether there are older messages.
    more: bool,
    /// Position up to which the archive had the room, or an earlier one.
    pub(super) archived_to: Sequence,
    /// Time up to which the window may be shown.
    pub(super) until: Instant,
    ready: [OnceLock<(usize, Ready)>; READY_MAX],
    units: Arc<Reserved>,
}

/// A whole answer, whose bytes all readers share.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) body: Bytes,
    /// Strong entity tag: a hash of the body.
    pub(crate) tag: HeaderValue,
}

/// Bytes that hold the memory of their window until the last reader has them.
struct Held {
    bytes: Vec<u8>,
    _units: Arc<Reserved>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A window on its way between uplinks.
#[derive(Deserialize)]
struct Shared {
    archived_to: Sequence,
    history: History,
}

impl Window {
    /// Encodes the newest messages of a history. A quarter of `answer_bytes_max` is room for them: the oldest
    /// beyond are left out, so that the window and its whole answers stay within the memory of one answer.
    pub(super) fn new(
        history: &History,
        archived_to: Sequence,
        until: Instant,
        mut units: Reserved,
        answer_bytes_max: usize,
    ) -> Self {
        let mut left = answer_bytes_max / 4;
        let mut kept = Vec::with_capacity(history.messages.len());
        for message in history.messages.iter().rev() {
            let json = serde_json::to_vec(message).expect("messages are plain data");
            if json.len() + 1 > left && !kept.is_empty() {
                break;
            }
            left = left.saturating_sub(json.len() + 1);
            kept.push((message.sequence, json));
        }
        let more = history.more || kept.len() < history.messages.len();
        let (mut json, mut places) = (Vec::new(), Vec::with_capacity(kept.len()));
        for (sequence, message) in kept.iter().rev() {
            if !json.is_empty() {
                json.push(b',');
            }
            json.extend_from_slice(message);
            places.push(Place { sequence: *sequence, end: json.len() });
        }
        json.shrink_to_fit();
        units.keep(bytes_of(json.len(), places.len()));
        Window { json, places, more, archived_to, until, ready: Default::default(), units: Arc::new(units) }
    }

    /// Reads a window that another uplink has shared; `None` for a form that this release does not know.
    pub(super) fn parse(
        shared: &[u8],
        until: Instant,
        units: Reserved,
        answer_bytes_max: usize,
    ) -> Option<Self> {
        let Shared { archived_to, history } = serde_json::from_slice(shared).ok()?;
        Some(Window::new(&history, archived_to, until, units, answer_bytes_max))
    }

    /// Returns the window for other uplinks.
    pub(super) fn shared(&self) -> Bytes {
        let head = format!(
            r#"{{"archived_to":{},"history":{{"more":{},"messages":["#,
            self.archived_to.0, self.more
        );
        [head.as_bytes(), &self.json, b"]}}"].concat().into()
    }

    /// Returns the memory that the window takes with its whole answers, in bytes.
    pub(super) fn bytes(&self) -> usize {
        bytes_of(self.json.len(), self.places.len())
    }

    /// Returns the newest page as a whole answer, also for a reader who asks for what is before a position
    /// behind the window; `None` for a third limit, and for positions in the window.
    pub(crate) fn ready(&self, before: Option<Sequence>, limit: usize) -> Option<Ready> {
        if self.end_of(before) < self.places.len() {
            return None;
        }
        for slot in &self.ready {
            let make = || {
                let bytes = self.cut(None, limit, usize::MAX).unwrap_or_default();
                (limit, Ready::new(bytes, &self.units))
            };
            let (of, ready) = slot.get_or_init(make);
            if *of == limit {
                return Some(ready.clone());
            }
        }
        None
    }

    /// Returns a page of at most `limit` messages and `bytes_max` bytes before a position, or the newest for
    /// `None`, as [`super::page()`] writes it. `None` when the store may have messages of the page that the
    /// window has not.
    pub(crate) fn cut(&self, before: Option<Sequence>, limit: usize, bytes_max: usize) -> Option<Vec<u8>> {
        let end = self.end_of(before);
        let mut start = end.saturating_sub(limit);
        // The newest page may be short because of its size, another one may not.
        if end < self.places.len() && end < limit && self.more {
            return None;
        }
        let messages_bytes_max = bytes_max.saturating_sub(FRAME_BYTES);
        while start + 1 < end && self.messages(start, end).len() + 1 > messages_bytes_max {
            start += 1;
        }
        let messages = self.messages(start, end);
        let more = self.more || start > 0;
        let mut out = Vec::with_capacity(messages.len() + FRAME_BYTES);
        out.extend_from_slice(br#"{"messages":["#);
        out.extend_from_slice(messages);
        out.extend_from_slice(format!(r#"],"more":{more}"#).as_bytes());
        if let Some(first) = self.places.get(start).filter(|_| more && start < end) {
            out.extend_from_slice(format!(r#","next":{{"before":{}}}"#, first.sequence).as_bytes());
        }
        out.push(b'}');
        Some(out)
    }

    /// Returns the number of messages before a position.
    fn end_of(&self, before: Option<Sequence>) -> usize {
        let Some(before) = before else { return self.places.len() };
        self.places.partition_point(|place| place.sequence < before)
    }

    /// Returns the JSON of some messages, by their numbers in the window.
    fn messages(&self, start: usize, end: usize) -> &[u8] {
        if start >= end {
            return &[];
        }
        let from = start.checked_sub(1).map_or(0, |before| self.places[before].end + 1);
        &self.json[from..self.places[end - 1].end]
    }
}

impl Ready {
    fn new(bytes: Vec<u8>, units: &Arc<Reserved>) -> Self {
        let digest = Sha256::digest(&bytes);
        let number = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
        let tag = HeaderValue::try_from(format!("\"{number:016x}\"")).expect("hexadecimal digits");
        Ready { body: Bytes::from_owner(Held { bytes, _units: Arc::clone(units) }), tag }
    }
}

fn bytes_of(json: usize, places: usize) -> usize {
    json + READY_MAX * (json + FRAME_BYTES) + places * size_of::<Place>() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests;
