//! WebSocket frames as bytes. Outgoing ones are built once and shared; incoming
//! ones are read out of a shard's shared buffer, so that an idle connection has
//! none of its own. (fastwebsockets does the handshake and the unmasking; its
//! reader keeps 8 KiB per connection and collects fragments without a bound.)

use barrage_protocol::Code;
use barrage_protocol::frame::CLIENT_FRAME_BYTES_MAX;
use bytes::Bytes;

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Largest close reason, so that the control frame stays within 125 bytes.
const REASON_BYTES_MAX: usize = 120;

fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + 10);
    out.push(FIN | opcode);
    match payload.len() {
        len @ 0..=125 => out.push(len as u8),
        len @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out.into()
}

/// A text frame.
pub(crate) fn text(payload: &[u8]) -> Bytes {
    frame(TEXT, payload)
}

/// A binary frame.
pub(crate) fn binary(payload: &[u8]) -> Bytes {
    frame(BINARY, payload)
}

/// A pong with the ping's payload.
pub(crate) fn pong(payload: &[u8]) -> Bytes {
    frame(PONG, payload)
}

/// A close frame.
pub(crate) fn close(code: u16, reason: &str) -> Bytes {
    let mut cut = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..cut]);
    frame(CLOSE, &payload)
}

/// What a client sent, unmasked in place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    /// JSON text.
    Text(&'a str),
    /// Answer with a pong.
    Ping(&'a [u8]),
    /// Nothing to do, but it counts against the limit.
    Pong,
    /// The client leaves.
    Close,
}

/// Reads one frame off the front of `buffer`: the frame and how many bytes it
/// took, `None` when it is not all there yet, or why the connection must end.
pub(crate) fn read(buffer: &mut [u8]) -> Result<Option<(Incoming<'_>, usize)>, Code> {
    if buffer.len() < 2 {
        return Ok(None);
    }
    let (first, second) = (buffer[0], buffer[1]);
    let opcode = first & 0x0f;
    let is_control = opcode & 0x8 != 0;
    // Reserved bits (no extension is negotiated), fragments (client frames are
    // small: none is needed), unmasked frames.
    if first & 0x70 != 0 || first & FIN == 0 || opcode == 0 || second & 0x80 == 0 {
        return Err(Code::ProtocolViolation);
    }
    let (len, header) = match second & 0x7f {
        126 if buffer.len() < 4 => return Ok(None),
        126 => (u64::from(u16::from_be_bytes([buffer[2], buffer[3]])), 4),
        127 if buffer.len() < 10 => return Ok(None),
        127 => (u64::from_be_bytes(buffer[2..10].try_into().expect("eight bytes")), 10),
        short => (u64::from(short), 2),
    };
    // A length is written in the fewest bytes that hold it: RFC 6455, section 5.2.
    let is_minimal = match header {
        2 => true,
        4 => len > 125,
        _ => len > 0xffff,
    };
    if !is_minimal || is_control && len > 125 {
        return Err(Code::ProtocolViolation);
    }
    let len = usize::try_from(len).ok().filter(|len| *len <= CLIENT_FRAME_BYTES_MAX).ok_or(Code::TooLarge)?;
    let end = header + 4 + len;
    if buffer.len() < end {
        return Ok(None);
    }
    let mask: [u8; 4] = buffer[header..header + 4].try_into().expect("four bytes");
    let payload = &mut buffer[header + 4..end];
    fastwebsockets::unmask(payload, mask);
    let payload = &*payload;
    let incoming = match opcode {
        TEXT => Incoming::Text(std::str::from_utf8(payload).map_err(|_| Code::InvalidUtf8)?),
        BINARY => return Err(Code::UnsupportedFrame),
        PING => Incoming::Ping(payload),
        PONG => Incoming::Pong,
        CLOSE => check_close(payload)?,
        _ => return Err(Code::ProtocolViolation),
    };
    Ok(Some((incoming, end)))
}

/// Checks the code and the reason of a client's close frame, either of which may be absent.
/// Codes that RFC 6455 (section 7.4) and its registry leave open or reserve for use without
/// a frame are violations.
fn check_close(payload: &[u8]) -> Result<Incoming<'_>, Code> {
    let (code, reason) = match payload {
        [] => return Ok(Incoming::Close),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(Code::ProtocolViolation),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Code::ProtocolViolation);
    }
    std::str::from_utf8(reason).map_err(|_| Code::InvalidUtf8)?;
    Ok(Incoming::Close)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut out = vec![first];
        if payload.len() < 126 {
            out.push(0x80 | payload.len() as u8);
        } else {
            out.push(0x80 | 126);
            out.extend((payload.len() as u16).to_be_bytes());
        }
        out.extend(mask);
        out.extend(payload.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]));
        out
    }

    #[test]
    fn hostile_frames_get_their_codes() {
        let claim = |bytes: &[u8]| read(&mut bytes.to_vec()).map(|r| r.is_some());
        assert_eq!(
            claim(&[0x81, 0x05, b'h', b'e', b'l', b'l', b'o']),
            Err(Code::ProtocolViolation),
            "unmasked"
        );
        assert_eq!(claim(&masked(0x01, b"part")), Err(Code::ProtocolViolation), "fragment");
        assert_eq!(claim(&masked(0x80, b"rest")), Err(Code::ProtocolViolation), "continuation");
        assert_eq!(claim(&masked(0xC1, b"rsv")), Err(Code::ProtocolViolation), "reserved bit");
        assert_eq!(claim(&masked(0x83, b"op")), Err(Code::ProtocolViolation), "reserved opcode");
        assert_eq!(claim(&masked(0x82, b"bin")), Err(Code::UnsupportedFrame), "binary");
        assert_eq!(claim(&masked(0x81, &[0xff, 0xfe])), Err(Code::InvalidUtf8));
        assert_eq!(
            claim(&[0x81, 0xff, 0, 0, 0, 0, 4, 0, 0, 0]),
            Err(Code::TooLarge),
            "a claim alone is enough"
        );
        assert_eq!(claim(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Err(Code::TooLarge));
        assert_eq!(claim(&masked(0x89, &[0; 126])), Err(Code::ProtocolViolation), "large ping");
        assert_eq!(claim(&masked(0x81, b"ok")), Ok(true));
    }

    #[test]
    fn lengths_in_more_bytes_than_needed_are_violations() {
        let claim = |length: &[u8]| {
            let mut bytes = [&[0x81], length, &[0; 4]].concat();
            read(&mut bytes).map(|frame| frame.is_some())
        };
        assert_eq!(claim(&[0x80 | 126, 0, 125]), Err(Code::ProtocolViolation));
        assert_eq!(claim(&[0x80 | 126, 0, 126]), Ok(false));
        assert_eq!(claim(&[0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), Err(Code::ProtocolViolation));
        assert_eq!(claim(&[0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0]), Err(Code::TooLarge));
    }

    #[test]
    fn close_codes_and_reasons_are_checked() {
        let close = |payload: &[u8]| read(&mut masked(0x88, payload)).map(|frame| frame.is_some());
        let with_code = |code: u16| close(&code.to_be_bytes());
        assert_eq!(close(b""), Ok(true));
        assert_eq!(close(&[3]), Err(Code::ProtocolViolation), "half a code");
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1014, 3000, 4999] {
            assert_eq!(with_code(code), Ok(true), "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert_eq!(with_code(code), Err(Code::ProtocolViolation), "{code}");
        }
        assert_eq!(close(&[&1000_u16.to_be_bytes()[..], "再见".as_bytes()].concat()), Ok(true));
        assert_eq!(close(&[&1000_u16.to_be_bytes()[..], &[0xff]].concat()), Err(Code::InvalidUtf8));
    }

    proptest! {
        /// Any bytes, cut anywhere: an answer, never a panic; and a whole frame is
        /// read the same whatever follows it.
        #[test]
        fn never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            drop(read(&mut bytes));
        }

        #[test]
        fn a_text_frame_is_read_whole_or_not_yet(payload in "\\PC{0,300}", cut in 0_usize..400) {
            let whole = masked(0x81, payload.as_bytes());
            let mut cut_short = whole[..cut.min(whole.len())].to_vec();
            match read(&mut cut_short).unwrap() {
                Some((Incoming::Text(text), used)) => { prop_assert_eq!(text, payload); prop_assert_eq!(used, whole.len()); }
                None => prop_assert!(cut < whole.len()),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
