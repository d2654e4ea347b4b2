//! A server's frames: encodes what a server sends, decodes what a client sends.

use bytes::Bytes;

use crate::header::{HEADER_BYTES_MAX, Masking, find, is_whole, push_length, unmask};
use crate::{Opcode, Violation};

/// Largest close reason in bytes, so that the control frame stays within its limit.
const REASON_BYTES_MAX: usize = 120;

/// Encodes one frame; copies the payload once.
#[must_use]
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + HEADER_BYTES_MAX);
    out.push(opcode.first_byte());
    push_length(&mut out, payload.len(), 0);
    out.extend_from_slice(payload);
    out.into()
}

/// Encodes a text frame; the payload must be UTF-8.
#[must_use]
pub fn text(payload: &[u8]) -> Bytes {
    frame(Opcode::Text, payload)
}

/// Encodes a binary frame; copies the payload once.
#[must_use]
pub fn binary(payload: &[u8]) -> Bytes {
    frame(Opcode::Binary, payload)
}

/// Encodes a pong; the payload is the ping's.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    frame(Opcode::Pong, payload)
}

/// Encodes a close frame; cuts a reason that is longer than 120 bytes.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut payload = code.to_be_bytes().to_vec();
    let cut = reason.floor_char_boundary(REASON_BYTES_MAX);
    payload.extend_from_slice(&reason.as_bytes()[..cut]);
    frame(Opcode::Close, &payload)
}

/// Frame of a client, unmasked in place.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message, checked to be valid UTF-8.
    Text(&'a str),
    /// Payload of a ping; the server owes a pong with the same payload.
    Ping(&'a [u8]),
    /// A pong, which needs no answer; its payload is dropped.
    Pong,
    /// The client ends the connection; its code and reason are valid.
    Close,
}

/// Decodes one frame at the front of `buffer`. Returns the frame and the bytes that it takes, or
/// `None` while the frame is incomplete.
///
/// A frame that is read must be removed from the buffer: its payload is unmasked in place. A text
/// payload may have `bytes_max` bytes.
pub fn read(buffer: &mut [u8], bytes_max: usize) -> Result<Option<(Incoming<'_>, usize)>, Violation> {
    if buffer.len() > 1 && !is_whole(buffer[0]) {
        return Err(Violation::Malformed);
    }
    let Some(place) = find(buffer, Masking::Masked, bytes_max)? else { return Ok(None) };
    unmask(buffer, &place);
    let payload = &buffer[place.start..place.end];
    let incoming = match Opcode::of_first_byte(place.first).ok_or(Violation::Malformed)? {
        Opcode::Text => Incoming::Text(std::str::from_utf8(payload).map_err(|_| Violation::InvalidUtf8)?),
        Opcode::Binary => return Err(Violation::Binary),
        Opcode::Ping => Incoming::Ping(payload),
        Opcode::Pong => Incoming::Pong,
        Opcode::Close => {
            check_close(payload)?;
            Incoming::Close
        }
    };
    Ok(Some((incoming, place.end)))
}

/// Checks the payload of a close frame: its code and its reason, both of which may be absent. Codes that
/// RFC 6455 (section 7.4) and its registry leave open, or reserve for use without a frame, are
/// violations.
pub fn check_close(payload: &[u8]) -> Result<(), Violation> {
    let (code, reason) = match payload {
        [] => return Ok(()),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(Violation::Malformed),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Malformed);
    }
    std::str::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::{self, Mask};

    const BYTES_MAX: usize = 16_384;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        client::raw_frame(first, payload, Mask::Bytes([1, 2, 3, 4]))
    }

    fn claim(bytes: &[u8]) -> Result<bool, Violation> {
        read(&mut bytes.to_vec(), BYTES_MAX).map(|frame| frame.is_some())
    }

    #[test]
    fn frames_that_break_the_rfc_or_the_limit_are_violations() {
        let unmasked = [0x81, 0x05, b'h', b'e', b'l', b'l', b'o'];
        assert_eq!(claim(&unmasked), Err(Violation::Malformed), "unmasked");
        assert_eq!(claim(&masked(0x01, b"part")), Err(Violation::Malformed), "fragment");
        assert_eq!(claim(&masked(0x80, b"rest")), Err(Violation::Malformed), "continuation");
        assert_eq!(claim(&masked(0xC1, b"rsv")), Err(Violation::Malformed), "reserved bit");
        assert_eq!(claim(&masked(0x83, b"op")), Err(Violation::Malformed), "reserved opcode");
        assert_eq!(claim(&masked(0x82, b"bin")), Err(Violation::Binary));
        assert_eq!(claim(&masked(0x81, &[0xff, 0xfe])), Err(Violation::InvalidUtf8));
        let length_alone = [0x81, 0xff, 0, 0, 0, 0, 4, 0, 0, 0];
        assert_eq!(claim(&length_alone), Err(Violation::TooLarge), "the length is enough");
        let largest = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(claim(&largest), Err(Violation::TooLarge));
        assert_eq!(claim(&masked(0x89, &[0; 126])), Err(Violation::Malformed), "large ping");
        assert_eq!(claim(&masked(0x81, b"ok")), Ok(true));
    }

    #[test]
    fn lengths_in_more_bytes_than_needed_are_violations() {
        let claim = |length: &[u8]| claim(&[&[0x81], length, &[0; 4]].concat());
        assert_eq!(claim(&[0x80 | 126, 0, 125]), Err(Violation::Malformed));
        assert_eq!(claim(&[0x80 | 126, 0, 126]), Ok(false));
        assert_eq!(claim(&[0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), Err(Violation::Malformed));
        assert_eq!(claim(&[0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0]), Err(Violation::TooLarge));
    }

    #[test]
    fn close_frames_are_checked_for_code_and_reason() {
        let close = |payload: &[u8]| claim(&masked(0x88, payload));
        let with_code = |code: u16| close(&code.to_be_bytes());
        assert_eq!(close(b""), Ok(true));
        assert_eq!(close(&[3]), Err(Violation::Malformed), "half a code");
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1014, 3000, 4999] {
            assert_eq!(with_code(code), Ok(true), "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert_eq!(with_code(code), Err(Violation::Malformed), "{code}");
        }
        assert_eq!(close(&[&1000_u16.to_be_bytes()[..], "再见".as_bytes()].concat()), Ok(true));
        assert_eq!(close(&[&1000_u16.to_be_bytes()[..], &[0xff]].concat()), Err(Violation::InvalidUtf8));
    }

    #[test]
    fn close_reasons_are_cut_between_characters() {
        let frame = close(4000, &"见".repeat(100));
        let (header, reason) = frame.split_at(4);
        assert_eq!(header, [0x88, 122, 0x0f, 0xa0]);
        assert_eq!(std::str::from_utf8(reason).unwrap(), "见".repeat(40));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            drop(read(&mut bytes, BYTES_MAX));
        }

        #[test]
        fn a_text_frame_is_read_once_it_is_complete(payload in "\\PC{0,300}", cut in 0_usize..400) {
            let whole = masked(0x81, payload.as_bytes());
            let mut cut_short = whole[..cut.min(whole.len())].to_vec();
            match read(&mut cut_short, BYTES_MAX).unwrap() {
                Some((Incoming::Text(text), used)) => {
                    prop_assert_eq!(text, payload);
                    prop_assert_eq!(used, whole.len());
                }
                None => prop_assert!(cut < whole.len()),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
