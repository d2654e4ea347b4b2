//! The metadata of a stored message, in one header.

use async_nats::HeaderMap;
use async_nats::header::{IntoHeaderName, NATS_MESSAGE_ID};
use barrage_protocol::{Class, Message, MessageId, RoomId, Sequence, TraceContext, Traceparent, UserId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::names::topic_tokens;
use crate::log::Draft;
use crate::settings::room_place::Chain;

/// Name of the header that holds the envelope as JSON.
const HEADER: &str = "Barrage";
/// Header of W3C Trace Context. Messages that are not sampled lack it. With it, a NATS account that
/// has `trace_dest` traces the message through its servers too (ADR-41 of NATS).
const TRACEPARENT: &str = "traceparent";

/// A message without position and body: the server gives the position, and the payload is the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    room: RoomId,
    pub(crate) class: Class,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<UserId>,
    /// Time of acceptance by the publisher's clock, which its answer holds too.
    pub(crate) at_ms: u64,
    pub(crate) fingerprint: u64,
    /// Random per call of `publish`: distinguishes a call's own retry from another call's message.
    pub(crate) call: u64,
    /// The chain that the message was published to, when its room came from another partition.
    #[serde(default, skip_serializing_if = "Chain::is_first")]
    pub(crate) chain: Chain,
    #[serde(skip)]
    trace: Option<Box<TraceContext>>,
}

impl Envelope {
    pub(crate) fn new(draft: &Draft, at_ms: u64, call: u64) -> Self {
        Envelope {
            room: draft.room.clone(),
            class: draft.class,
            sender: draft.sender.clone(),
            id: draft.id.clone(),
            to: draft.to.clone(),
            at_ms,
            fingerprint: draft.fingerprint,
            call,
            chain: Chain::default(),
            trace: draft.trace.clone(),
        }
    }

    pub(crate) fn headers(&self, message_id: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, message_id);
        headers.insert(HEADER, serde_json::to_string(self).expect("an envelope is plain data"));
        if let Some(trace) = &self.trace {
            headers.insert(TRACEPARENT, trace.traceparent());
        }
        headers
    }

    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut envelope: Envelope = serde_json::from_str(headers.get(HEADER)?.as_str()).ok()?;
        envelope.trace = headers.get(TRACEPARENT).and_then(|text| trace(text.as_str()));
        Some(envelope)
    }

    /// Returns the message of an envelope. `stored` and `previous` are positions of the stream.
    pub(crate) fn message(self, stored: Sequence, previous: Sequence, body: Bytes) -> Message {
        Message {
            room: self.room,
            sequence: self.chain.position(stored),
            previous: self.chain.newest(previous),
            class: self.class,
            sender: self.sender,
            id: self.id,
            to: self.to,
            at_ms: self.at_ms,
            trace: self.trace,
            body,
        }
    }
}

/// Reads a stored message for the fuzz targets, from the two headers and the position that the server adds.
#[doc(hidden)]
#[must_use]
pub fn read_envelope(
    header: &str,
    traceparent: &str,
    stored: Sequence,
    previous: Sequence,
) -> Option<Message> {
    let mut headers = HeaderMap::new();
    let value = |text: &str| text.parse::<async_nats::HeaderValue>().ok();
    headers.insert(HEADER, value(header)?);
    headers.insert(TRACEPARENT, value(traceparent)?);
    Some(Envelope::read(&headers)?.message(stored, previous, Bytes::new()))
}

/// Reads the trace of a message; `None` when it is malformed or not sampled.
fn trace(text: &str) -> Option<Box<TraceContext>> {
    let parent: Traceparent = text.parse().ok()?;
    parent.is_sampled.then(|| Box::new(parent.context))
}

/// Returns the id by which the server recognises duplicates. Its window spans the whole stream, so
/// topic and sender are part of the id: two senders may choose the same one. A draft without an id
/// gets one for its own retries.
pub(crate) fn message_id(draft: &Draft, call: u64, index: usize) -> String {
    let topic = topic_tokens(&draft.topic());
    let sender = draft.sender.as_ref().map_or("", UserId::as_str);
    match &draft.id {
        Some(id) => format!("{topic}/{sender}/{id}"),
        None => format!("{topic}/{sender}/~{call:x}.{index}"),
    }
}

/// Parses a number in a header; `None` when it is absent or no number.
pub(crate) fn number(headers: &HeaderMap, name: impl IntoHeaderName) -> Option<u64> {
    headers.get(name)?.as_str().parse().ok()
}
