//! Pages of a history as JSON. Pure.

use barrage_protocol::Sequence;
use barrage_protocol::post::History;

/// Bytes of a page besides its messages.
pub(super) const FRAME_BYTES: usize = 128;

/// The part of the history that a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// Messages after a sequence, oldest first.
    After(Sequence),
    /// Before a sequence, or the newest messages for `None`.
    Before(Option<Sequence>),
    /// Between two offsets into the stream.
    Offsets { from_ms: u64, to_ms: u64 },
}

/// Writes a page as JSON of at most `bytes_max` bytes, or with one message when that message alone
/// is longer. Messages over the bound are cut at the end where the next page begins; `more` and
/// `next` name that place.
pub(crate) fn page(history: &History, span: Span, bytes_max: usize) -> Vec<u8> {
    let messages_bytes_max = bytes_max.saturating_sub(FRAME_BYTES);
    let encode = |message| serde_json::to_vec(message).expect("messages are plain data");
    let is_backward = matches!(span, Span::Before(_));
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    for at in 0..history.messages.len() {
        let index = if is_backward { history.messages.len() - 1 - at } else { at };
        let message = encode(&history.messages[index]);
        if bytes + message.len() + 1 > messages_bytes_max && !kept.is_empty() {
            break;
        }
        bytes += message.len() + 1;
        kept.push(message);
    }
    let count = kept.len();
    let more = history.more || count < history.messages.len();
    if is_backward {
        kept.reverse();
    }
    let mut out = Vec::with_capacity(bytes + FRAME_BYTES);
    out.extend_from_slice(br#"{"messages":["#);
    for (at, message) in kept.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(message);
    }
    out.extend_from_slice(format!(r#"],"more":{more}"#).as_bytes());
    let (first, last) = (history.messages.len() - count, count.saturating_sub(1));
    let next = match span {
        Span::After(_) => history.messages.get(last).map(|message| ("after", message.sequence.0)),
        Span::Before(_) => history.messages.get(first).map(|message| ("before", message.sequence.0)),
        Span::Offsets { .. } => history.messages.get(last).map(|message| ("from_ms", message.offset_ms)),
    };
    if let Some((name, position)) = next.filter(|_| more) {
        out.extend_from_slice(format!(r#","next":{{"{name}":{position}}}"#).as_bytes());
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests;
