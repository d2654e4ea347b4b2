//! Lengths and masks in a frame's header.

use crate::Violation;

/// Flag of the second byte: a mask follows the length.
pub(crate) const MASKED: u8 = 0x80;
/// Bit of the first byte: the frame is the last of its message.
pub(crate) const FIN: u8 = 0x80;
/// Bits of the first byte that only extensions use.
const RESERVED: u8 = 0x70;
/// Bit of the opcode that marks a control frame.
const CONTROL: u8 = 0x08;
/// Largest payload of a control frame, in bytes.
const CONTROL_BYTES_MAX: u64 = 125;
/// Largest header: two bytes, a length of eight bytes, a mask.
pub(crate) const HEADER_BYTES_MAX: usize = 14;

/// Appends the length in the fewest bytes that hold it. `mask_bit` is [`MASKED`] or zero.
pub(crate) fn push_length(out: &mut Vec<u8>, len: usize, mask_bit: u8) {
    match len {
        0..=125 => out.push(mask_bit | len as u8),
        126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// Reads the length behind the first byte: the length, and the bytes before the mask or the
/// payload. `None` when the header is not complete.
///
/// RFC 6455, section 5.2, requires the fewest bytes that hold the length.
pub(crate) fn read_length(frame: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    let Some(second) = frame.get(1) else { return Ok(None) };
    let (len, header, least) = match second & !MASKED {
        126 => match frame.get(2..4) {
            Some(len) => (u64::from(u16::from_be_bytes([len[0], len[1]])), 4, 126),
            None => return Ok(None),
        },
        127 => match frame.get(2..10).and_then(|len| len.try_into().ok()) {
            Some(len) => (u64::from_be_bytes(len), 10, 0x1_0000),
            None => return Ok(None),
        },
        short => (u64::from(short), 2, 0),
    };
    if len < least { Err(Violation::Malformed) } else { Ok(Some((len, header))) }
}

/// Whether the payload has a mask: a client's has one, a server's has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Masking {
    Masked,
    Plain,
}

/// Place of a frame at the front of a buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// First byte: flags and opcode.
    pub(crate) first: u8,
    /// Begin of the payload.
    pub(crate) start: usize,
    /// End of the payload and of the frame.
    pub(crate) end: usize,
}

/// Whether a frame is a whole message: the last of its message, and not a continuation.
pub(crate) const fn is_whole(first: u8) -> bool {
    first & FIN != 0 && first & 0x0f != 0
}

/// Finds one frame; `None` while it is incomplete. Checks what RFC 6455, section 5.2, requires of every frame.
/// A payload may have `bytes_max` bytes.
pub(crate) fn find(buffer: &[u8], masking: Masking, bytes_max: usize) -> Result<Option<Place>, Violation> {
    let [first, second, ..] = *buffer else { return Ok(None) };
    let is_masked = second & MASKED != 0;
    let is_known = matches!(first & 0x0f, 0x0..=0x2 | 0x8..=0xa);
    if first & RESERVED != 0 || !is_known || is_masked != (masking == Masking::Masked) {
        return Err(Violation::Malformed);
    }
    let Some((len, header)) = read_length(buffer)? else { return Ok(None) };
    if first & CONTROL != 0 && (len > CONTROL_BYTES_MAX || first & FIN == 0) {
        return Err(Violation::Malformed);
    }
    let len = usize::try_from(len).ok().filter(|len| *len <= bytes_max).ok_or(Violation::TooLarge)?;
    let start = header + if is_masked { 4 } else { 0 };
    let end = start.checked_add(len).ok_or(Violation::TooLarge)?;
    Ok((buffer.len() >= end).then_some(Place { first, start, end }))
}

/// Removes the mask of a frame that [`find`] has found under [`Masking::Masked`].
pub(crate) fn unmask(buffer: &mut [u8], place: &Place) {
    let (head, payload) = buffer.split_at_mut(place.start);
    let mask = *head.last_chunk::<4>().expect("a mask is before the payload");
    fastwebsockets::unmask(&mut payload[..place.end - place.start], mask);
}
