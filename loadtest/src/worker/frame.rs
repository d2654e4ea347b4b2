//! WebSocket frames, read out of a buffer that all viewers of a thread share.

/// Largest frame taken from a server, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 8 << 20;

/// One frame's place in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: Opcode,
    /// Bytes before the payload.
    pub(crate) header: usize,
    pub(crate) payload: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The server does not speak as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation;

/// The first frame, if it is there as a whole.
pub(crate) fn cut(bytes: &[u8]) -> Result<Option<Frame>, Violation> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    // Whole, without extensions, unmasked: all that Barrage sends.
    let opcode = match first {
        0x81 => Opcode::Text,
        0x82 => Opcode::Binary,
        0x88 => Opcode::Close,
        0x89 => Opcode::Ping,
        0x8a => Opcode::Pong,
        _ => return Err(Violation),
    };
    let (header, payload) = match second {
        len @ 0..=125 => (2, usize::from(len)),
        126 => match bytes.get(2..4) {
            Some(len) => (4, usize::from(u16::from_be_bytes([len[0], len[1]]))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|len| len.try_into().ok()) {
            Some(len) => (10, usize::try_from(u64::from_be_bytes(len)).unwrap_or(usize::MAX)),
            None => return Ok(None),
        },
        _ => return Err(Violation),
    };
    if payload > FRAME_BYTES_MAX {
        return Err(Violation);
    }
    Ok((bytes.len() >= header + payload).then_some(Frame { opcode, header, payload }))
}

/// A masked client frame. The mask is zero: it guards proxies against pages, and here is
/// no page.
pub(crate) fn client(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let first = match opcode {
        Opcode::Text => 0x81,
        Opcode::Binary => 0x82,
        Opcode::Close => 0x88,
        Opcode::Ping => 0x89,
        Opcode::Pong => 0x8a,
    };
    let mut out = vec![first];
    match u8::try_from(payload.len()) {
        Ok(len @ 0..=125) => out.push(0x80 | len),
        _ => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(payload.len().min(0xffff) as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&payload[..payload.len().min(0xffff)]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_found_whole_and_not_before() {
        for len in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let mut bytes = vec![0x82];
            match len {
                0..=125 => bytes.push(len as u8),
                126..=0xffff => {
                    bytes.push(126);
                    bytes.extend_from_slice(&(len as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend_from_slice(&(len as u64).to_be_bytes());
                }
            }
            let header = bytes.len();
            bytes.resize(header + len, 7);
            let wanted = Frame { opcode: Opcode::Binary, header, payload: len };
            assert_eq!(cut(&bytes), Ok(Some(wanted)));
            assert_eq!(cut(&bytes[..bytes.len() - 1]), Ok(None));
        }
    }

    #[test]
    fn fragments_masks_and_giants_are_violations() {
        for bad in [&[0x01, 0][..], &[0x81, 0x80], &[0xc1, 0], &[0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(cut(bad), Err(Violation), "{bad:?}");
        }
    }
}
