//! Lengths and masks in a frame's header.

use crate::Violation;

/// Flag of the second byte: a mask follows the length.
pub(crate) const MASKED: u8 = 0x80;
/// Largest payload of a control frame, in bytes.
pub(crate) const CONTROL_BYTES_MAX: usize = 125;
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
