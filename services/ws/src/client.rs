//! A client's frames: encodes what a client sends, decodes what a server sends.

use crate::header::{HEADER_BYTES_MAX, MASKED, Masking, find, is_whole, push_length};
use crate::{Opcode, Violation};

/// Masking key of a client's frame, which RFC 6455 requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// Four zero bytes: the payload travels as it is. RFC 6455 masks to protect proxies from the
    /// scripts of pages, so a program that is no browser may use it.
    Zero,
    /// Masks the payload with this key; a browser takes a random one for each frame.
    Bytes([u8; 4]),
}

impl Mask {
    const fn key(self) -> [u8; 4] {
        match self {
            Mask::Zero => [0; 4],
            Mask::Bytes(key) => key,
        }
    }
}

/// Encodes one masked frame, whole and without extensions.
#[must_use]
pub fn frame(opcode: Opcode, payload: &[u8], mask: Mask) -> Vec<u8> {
    raw_frame(opcode.first_byte(), payload, mask)
}

/// Encodes one masked frame with any first byte. Tests of servers send fragments, reserved bits
/// and reserved opcodes by it.
#[must_use]
pub fn raw_frame(first_byte: u8, payload: &[u8], mask: Mask) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + HEADER_BYTES_MAX);
    out.push(first_byte);
    push_length(&mut out, payload.len(), MASKED);
    let key = mask.key();
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    if mask != Mask::Zero {
        fastwebsockets::unmask(&mut out[start..], key);
    }
    out
}

/// Place of a server's frame at the front of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Kind of the frame: text, binary or control.
    pub opcode: Opcode,
    /// Bytes before the payload: 2, 4 or 10.
    pub header: usize,
    /// Bytes of the payload, at most the reader's `bytes_max`.
    pub payload: usize,
}

impl Frame {
    /// Bytes of the whole frame, header and payload.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.header + self.payload
    }

    /// Payload of the frame in the buffer that [`read`] was called with.
    ///
    /// # Panics
    ///
    /// When the buffer is shorter than the frame.
    #[must_use]
    pub fn payload_in<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        &buffer[self.header..self.bytes()]
    }
}

/// Finds one frame at the front of `buffer`; `None` while the frame is incomplete. A payload may
/// have `bytes_max` bytes.
pub fn read(buffer: &[u8], bytes_max: usize) -> Result<Option<Frame>, Violation> {
    if buffer.len() > 1 && !is_whole(buffer[0]) {
        return Err(Violation::Malformed);
    }
    let Some(place) = find(buffer, Masking::Plain, bytes_max)? else { return Ok(None) };
    let opcode = Opcode::of_first_byte(place.first).ok_or(Violation::Malformed)?;
    Ok(Some(Frame { opcode, header: place.start, payload: place.end - place.start }))
}

/// Code of a close frame by its payload. 1005 stands for a close frame without a code, as in
/// RFC 6455, section 7.4.1.
#[must_use]
pub fn close_code(payload: &[u8]) -> u16 {
    payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server;

    const BYTES_MAX: usize = 8 << 20;

    #[test]
    fn frames_of_every_length_are_found_once_they_are_complete() {
        for len in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let bytes = server::binary(&vec![7; len]);
            let frame = read(&bytes, BYTES_MAX).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.payload, frame.bytes()), (Opcode::Binary, len, bytes.len()));
            assert_eq!(frame.payload_in(&bytes), vec![7; len]);
            assert_eq!(read(&bytes[..bytes.len() - 1], BYTES_MAX), Ok(None));
        }
    }

    #[test]
    fn fragments_masks_and_large_frames_are_violations() {
        let large_ping = [&[0x89, 126, 0, 126][..], &[0; 126]].concat();
        assert_eq!(read(&large_ping, BYTES_MAX), Err(Violation::Malformed), "a control frame has 125 bytes");
        assert_eq!(read(&[0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255], usize::MAX), Ok(None));
        for malformed in [&[0x01, 0][..], &[0x81, 0x80], &[0xc1, 0]] {
            assert_eq!(read(malformed, BYTES_MAX), Err(Violation::Malformed), "{malformed:?}");
        }
        let large = [0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(read(&large, BYTES_MAX), Err(Violation::TooLarge));
    }

    #[test]
    fn a_server_reads_frames_under_every_mask() {
        for mask in [Mask::Zero, Mask::Bytes([7, 1, 9, 3])] {
            for len in [0, 5, 125, 126, 5_000] {
                let text = "a".repeat(len);
                let mut bytes = frame(Opcode::Text, text.as_bytes(), mask);
                let whole = bytes.len();
                let incoming = server::read(&mut bytes, 16_384).unwrap();
                assert_eq!(incoming, Some((server::Incoming::Text(&text), whole)));
            }
        }
    }

    #[test]
    fn a_close_frame_without_a_code_counts_as_1005() {
        assert_eq!(close_code(b""), 1005);
        assert_eq!(close_code(&[0x0f, 0xa0, b'x']), 4000);
    }
}
