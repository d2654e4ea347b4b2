//! Any frame that RFC 6455 permits, fragments included: what [`server`](crate::server) and
//! [`client`](crate::client) decode before they refuse what Barrage does not send.
//!
//! The conformance tests speak the whole protocol by it (`examples/autobahn.rs`).

use crate::Violation;
use crate::header::{Masking, find, unmask};

/// Kind of a frame, of a fragment too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A later fragment of a message; its first fragment has the message's kind.
    Continuation,
    /// A message of UTF-8 text, or its first fragment.
    Text,
    /// A message of any bytes, or its first fragment.
    Binary,
    /// Last frame of a side; its payload is empty or a code and a reason.
    Close,
    /// Asks the other side for a pong with the same payload.
    Ping,
    /// A pong, which answers a ping or nothing.
    Pong,
}

/// One frame of either side, without its mask.
#[derive(Debug, PartialEq, Eq)]
pub struct RawFrame<'a> {
    /// Whether the frame is the last one of its message; a control frame always is.
    pub is_last: bool,
    /// Kind of the frame.
    pub kind: Kind,
    /// Payload of the frame, without its mask.
    pub payload: &'a [u8],
    /// Bytes of the whole frame in the buffer.
    pub bytes: usize,
}

/// Decodes one frame of a client at the front of `buffer`, unmasked in place; `None` while it is incomplete.
pub fn read_masked(buffer: &mut [u8], bytes_max: usize) -> Result<Option<RawFrame<'_>>, Violation> {
    let Some(place) = find(buffer, Masking::Masked, bytes_max)? else { return Ok(None) };
    unmask(buffer, &place);
    Ok(Some(frame(buffer, place.first, place.start..place.end)))
}

/// Decodes one frame of a server at the front of `buffer`; `None` while it is incomplete.
pub fn read_plain(buffer: &[u8], bytes_max: usize) -> Result<Option<RawFrame<'_>>, Violation> {
    let place = find(buffer, Masking::Plain, bytes_max)?;
    Ok(place.map(|place| frame(buffer, place.first, place.start..place.end)))
}

fn frame(buffer: &[u8], first: u8, payload: std::ops::Range<usize>) -> RawFrame<'_> {
    let kind = match first & 0x0f {
        0x0 => Kind::Continuation,
        0x1 => Kind::Text,
        0x2 => Kind::Binary,
        0x8 => Kind::Close,
        0x9 => Kind::Ping,
        // `find` has refused all others.
        _ => Kind::Pong,
    };
    let bytes = payload.end;
    RawFrame { is_last: first & 0x80 != 0, kind, payload: &buffer[payload], bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Mask, raw_frame};

    #[test]
    fn fragments_are_read_and_what_no_extension_allows_is_a_violation() {
        let mut bytes = raw_frame(0x01, b"a", Mask::Bytes([9, 8, 7, 6]));
        let fragment = RawFrame { is_last: false, kind: Kind::Text, payload: b"a", bytes: 7 };
        assert_eq!(read_masked(&mut bytes, 10), Ok(Some(fragment)));
        assert_eq!(read_plain(&[0x80, 1, b'b'], 10).unwrap().unwrap().kind, Kind::Continuation);
        for (first, length) in [(0x09, 0), (0x83, 0), (0x8b, 0), (0xc1, 0), (0x89, 126)] {
            assert_eq!(read_plain(&[first, length, 0, 126], 1_000), Err(Violation::Malformed), "{first:x}");
        }
        assert_eq!(
            read_plain(&[0x81, 0x80, 0, 0, 0, 0], 10),
            Err(Violation::Malformed),
            "masked by a server"
        );
        assert_eq!(read_masked(&mut [0x81, 0], 10), Err(Violation::Malformed), "not masked by a client");
    }
}
