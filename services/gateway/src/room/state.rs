use std::sync::Arc;

use barrage_bus::Settings;
use barrage_protocol::frame::{Hello, ServerFrame};
use barrage_protocol::state::{RoomState, Versioned};
use barrage_protocol::super_chat::OpenSuperChat;
use barrage_protocol::{RoomId, Sequence, deflate};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use super::hide::Hides;
use crate::socket::{Encoding, encode};

/// States below this size are deflated with each hello: the part of a stream that is shared would save
/// less than it adds.
const SHARED_BYTES_MIN: usize = 512;

/// State of one room, as newcomers get it. It is encoded once for each change, whoever joins.
///
/// It merges what the settings of this process say with what the signals of the chain say. Each of
/// both may be ahead of the other one; by the versions of its parts the newer one stays.
#[derive(Debug, Default)]
pub(crate) struct StateCell(Mutex<Merged>);

#[derive(Debug, Default)]
struct Merged {
    state: RoomState,
    /// Versions of the settings, the attributes and the super chats that are merged.
    of_settings: Option<(u64, u64, u64)>,
    encoded: Option<Arc<EncodedState>>,
    encodings: u64,
}

/// JSON of a state, and its part of a deflate stream.
#[derive(Debug)]
pub(crate) struct EncodedState {
    json: Bytes,
    deflated: Mutex<Option<(u8, Bytes)>>,
}

impl StateCell {
    /// Merges the state in the body of a signal, if it has one.
    pub(crate) fn take_signal(&self, body: &[u8]) {
        #[derive(Deserialize)]
        struct WithState {
            state: Option<RoomState>,
        }
        // A signal of another shape is none of the state's business.
        let Ok(WithState { state: Some(change) }) = serde_json::from_slice(body) else { return };
        let mut merged = self.0.lock();
        if merged.state.merge(change) {
            merged.encoded = None;
        }
    }

    /// Returns the state at the room's position or newer; `None` for a room without settings. `shown` is
    /// the position of viewers that get the room later, and what was hidden: a pinned message and super chats
    /// behind the one, and those of the other, are left out.
    pub(crate) fn encoded(
        &self,
        settings: &Settings,
        room: &RoomId,
        shown: Option<(Sequence, &Hides)>,
    ) -> Option<Arc<EncodedState>> {
        let versions = (
            settings.rooms.get(room)?.version,
            settings.attributes.get(room).map_or(0, barrage_bus::RoomAttributes::version),
            settings.super_chats.get(room).map_or(0, barrage_bus::RoomSuperChats::version),
        );
        let mut merged = self.0.lock();
        if merged.of_settings != Some(versions) {
            merged.of_settings = Some(versions);
            if merged.state.merge(settings.room_state(room)) {
                merged.encoded = None;
            }
        }
        if let Some(shown) = shown.and_then(|(position, hides)| without_later(&merged.state, position, hides))
        {
            // It is good for this position alone.
            return Some(Arc::new(EncodedState::new(&shown)));
        }
        if let Some(encoded) = &merged.encoded {
            return Some(Arc::clone(encoded));
        }
        let encoded = Arc::new(EncodedState::new(&merged.state));
        merged.encodings += 1;
        merged.encoded = Some(Arc::clone(&encoded));
        Some(encoded)
    }

    /// Returns how often the state was encoded.
    #[cfg(test)]
    pub(crate) fn encodings(&self) -> u64 {
        self.0.lock().encodings
    }
}

/// Returns the state without the quoted messages behind a position, and without those that are hidden: the
/// settings may still have them. These are the pinned message and super chats. `None` when there are none. A
/// client takes them from their signals: what it has of them must not count as complete.
fn without_later(state: &RoomState, position: Sequence, hides: &Hides) -> Option<RoomState> {
    let is_later = |at: Sequence, message: &Value| at > position || hides.hides_quoted(at, message);
    let is_left_out = |at: &Sequence, entry: &Versioned<OpenSuperChat>| {
        *at > position || entry.value.as_ref().is_some_and(|open| is_later(*at, &open.message))
    };
    let left_out = state.super_chats.entries.iter().filter(|(at, entry)| is_left_out(at, entry));
    let version = left_out.map(|(_, entry)| entry.version).min();
    let pinned = state.pinned.as_ref().and_then(|pinned| pinned.value.as_ref());
    let is_pinned_later = pinned.is_some_and(|pinned| is_later(pinned.sequence, &pinned.message));
    if version.is_none() && !is_pinned_later {
        return None;
    }
    let mut shown = state.clone();
    if is_pinned_later {
        shown.pinned = None;
    }
    if let Some(version) = version {
        shown.super_chats.entries.retain(|at, entry| !is_left_out(at, entry));
        shown.super_chats.complete_to = shown.super_chats.complete_to.min(version.saturating_sub(1));
    }
    Some(shown)
}

impl EncodedState {
    fn new(state: &RoomState) -> Self {
        let json = serde_json::to_vec(state).expect("states are plain data").into();
        EncodedState { json, deflated: Mutex::default() }
    }

    /// Returns the state's part of a deflate stream, which all newcomers share.
    fn deflated(&self, effort: u8) -> Bytes {
        let mut deflated = self.deflated.lock();
        match &*deflated {
            Some((of, part)) if *of == effort => part.clone(),
            Some(_) | None => {
                let part = Bytes::from(deflate::deflate_part(&self.json, effort.into()));
                *deflated = Some((effort, part.clone()));
                part
            }
        }
    }
}

/// Encodes a hello with the room's state as a WebSocket frame.
pub(crate) fn encode_hello(hello: Hello, state: Option<&EncodedState>, encoding: Encoding) -> Bytes {
    let json = serde_json::to_vec(&ServerFrame::Hello(hello)).expect("frames are plain data");
    match (state, encoding) {
        (Some(state), Encoding::Deflate { effort } | Encoding::Lines { effort })
            if state.json.len() >= SHARED_BYTES_MIN =>
        {
            let part = state.deflated(effort);
            encoding.binary(&deflate::deflate_around(&opened(&json), &part, b"}", effort.into()))
        }
        (state, encoding) => encode(&with_state(json.into(), state), encoding),
    }
}

/// Adds the room's state to the JSON of a frame, as its last field.
pub(crate) fn with_state(json: Bytes, state: Option<&EncodedState>) -> Bytes {
    let Some(state) = state else { return json };
    let mut with = opened(&json);
    with.reserve_exact(state.json.len() + 1);
    with.extend_from_slice(&state.json);
    with.push(b'}');
    with.into()
}

/// Returns the JSON of a frame up to where the state begins.
fn opened(json: &[u8]) -> Vec<u8> {
    let mut opened = json.strip_suffix(b"}").unwrap_or(json).to_vec();
    opened.extend_from_slice(br#","state":"#);
    opened
}

#[cfg(test)]
mod tests;
