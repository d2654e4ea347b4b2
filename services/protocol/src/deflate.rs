//! The deflated wire encoding: one raw deflate stream for each frame, primed with a dictionary of
//! the protocol. A browser inflates it with `DecompressionStream("deflate-raw")`, after the dictionary
//! as a stored block.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Frames below this size travel as plain text frames on a deflated connection: deflate would not
/// make them smaller.
pub const DEFLATE_BYTES_MIN: usize = 128;

/// Text to which every stream may refer back, as if it had been sent before: words of this protocol's
/// frames and of chats, the most frequent last. Part of the protocol: `docs/reference/protocol.md` prints it.
pub const DICTIONARY: &str = include_str!("dictionary.txt");

/// Highest compression effort of deflate; [`deflate`] lowers a greater one to it.
const EFFORT_MAX: u32 = 9;
/// Size of the pieces in which inflated bytes are copied.
const PIECE_BYTES: usize = 16 * 1024;

/// Cause for which a frame could not be inflated.
#[derive(Debug, thiserror::Error)]
pub enum InflateError {
    /// The frame is no raw deflate stream.
    #[error("not a whole raw deflate stream")]
    Corrupt,
    /// The inflated frame exceeds the maximum of the caller.
    #[error("opens to more than {0} bytes")]
    TooLarge(usize),
}

thread_local! {
    /// One state for each effort: a new state would cost more than most frames.
    static STATES: RefCell<[Option<Compress>; EFFORT_MAX as usize + 1]> = RefCell::default();
}

/// Deflates `bytes` with an effort from 0 (no compression) to 9.
#[must_use]
pub fn deflate(bytes: &[u8], effort: u32) -> Vec<u8> {
    let mut deflated = Vec::with_capacity(bytes.len() / 3 + 64);
    deflate_behind(&mut deflated, DICTIONARY.as_bytes(), bytes, effort);
    deflated
}

/// Appends to `out` the stream of `bytes`, which may refer to `before`.
pub(crate) fn deflate_behind(out: &mut Vec<u8>, before: &[u8], bytes: &[u8], effort: u32) {
    with_state(effort, |state| {
        state.set_dictionary(before).expect("a new stream takes a dictionary");
        loop {
            let read = usize::try_from(state.total_in()).unwrap_or(bytes.len());
            let status = state.compress_vec(&bytes[read..], out, FlushCompress::Finish);
            match status.expect("compressing memory cannot fail") {
                Status::StreamEnd => return,
                Status::Ok | Status::BufError => out.reserve(out.capacity().max(64)),
            }
        }
    });
}

/// Deflates `bytes` as a part of other streams: it refers to nothing before it, not even to the
/// dictionary, and ends at a byte. [`deflate_around`] makes a stream of it.
#[must_use]
pub fn deflate_part(bytes: &[u8], effort: u32) -> Vec<u8> {
    with_state(effort, |state| {
        let mut part = Vec::with_capacity(bytes.len() / 3 + 64);
        flushed(state, bytes, &mut part);
        part
    })
}

/// Deflates `head`, appends a part of [`deflate_part`], and ends the stream with `tail` as it is. The
/// tail has at most 65,535 bytes.
#[must_use]
pub fn deflate_around(head: &[u8], part: &[u8], tail: &[u8], effort: u32) -> Vec<u8> {
    let mut deflated = Vec::with_capacity(head.len() + part.len() + tail.len() + 64);
    with_state(effort, |state| {
        state.set_dictionary(DICTIONARY.as_bytes()).expect("a new stream takes a dictionary");
        flushed(state, head, &mut deflated);
    });
    deflated.extend_from_slice(part);
    let len = u16::try_from(tail.len()).unwrap_or(u16::MAX);
    // The last block, stored: one byte, the length and its complement.
    deflated.push(1);
    deflated.extend_from_slice(&len.to_le_bytes());
    deflated.extend_from_slice(&(!len).to_le_bytes());
    deflated.extend_from_slice(&tail[..len.into()]);
    deflated
}

/// Compresses all bytes up to the border of a byte, behind which another part may follow.
fn flushed(state: &mut Compress, bytes: &[u8], out: &mut Vec<u8>) {
    loop {
        let read = usize::try_from(state.total_in()).unwrap_or(bytes.len());
        let room = out.capacity() - out.len();
        let before = out.len();
        state.compress_vec(&bytes[read..], out, FlushCompress::Full).expect("compressing memory cannot fail");
        // A flush is complete when it leaves room in the output.
        if out.len() - before < room && state.total_in() == bytes.len() as u64 {
            return;
        }
        out.reserve(out.capacity().max(64));
    }
}

/// Calls `with` with this thread's state for an effort, as new.
fn with_state<T>(effort: u32, with: impl FnOnce(&mut Compress) -> T) -> T {
    let effort = effort.min(EFFORT_MAX);
    STATES.with_borrow_mut(|states| {
        let state =
            states[effort as usize].get_or_insert_with(|| Compress::new(Compression::new(effort), false));
        state.reset();
        with(state)
    })
}

/// Inflates a stream of at most `bytes_max` inflated bytes.
pub fn inflate(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    inflate_behind(DICTIONARY.as_bytes(), bytes, bytes_max)
}

/// Inflates a stream that may refer to `before`.
pub(crate) fn inflate_behind(before: &[u8], bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    let mut state = Decompress::new(false);
    state.set_dictionary(before).map_err(|_| InflateError::Corrupt)?;
    let mut opened = Vec::with_capacity((bytes.len() * 4).min(bytes_max));
    loop {
        let read = usize::try_from(state.total_in()).unwrap_or(bytes.len()).min(bytes.len());
        let before = (state.total_in(), state.total_out());
        opened.reserve(PIECE_BYTES.min(bytes_max - opened.len() + 1));
        let status = state.decompress_vec(&bytes[read..], &mut opened, FlushDecompress::None);
        if opened.len() > bytes_max {
            return Err(InflateError::TooLarge(bytes_max));
        }
        match status {
            Ok(Status::StreamEnd) => return Ok(opened),
            Ok(Status::Ok | Status::BufError) if (state.total_in(), state.total_out()) != before => {}
            // It wants more than there is, or does not begin like one.
            Ok(_) | Err(_) => return Err(InflateError::Corrupt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let bomb = deflate(&vec![0; 1 << 20], 9);
        assert!(bomb.len() < 2048);
        assert!(matches!(inflate(&bomb, 4096), Err(InflateError::TooLarge(4096))));
        assert_eq!(inflate(&deflate(b"abc", 6), 3).unwrap(), b"abc");
        assert!(matches!(inflate(&deflate(b"abc", 6), 2), Err(InflateError::TooLarge(2))));
    }

    #[test]
    fn a_part_is_shared_by_streams() {
        let (head, tail) = (br#"{"type":"hello","room":"demo","state":"#, b"}");
        for bytes in [0, 1, 500, 70_000_usize] {
            let text: String = (0..bytes).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
            for effort in [0, 1, 3, 6, 9] {
                let part = deflate_part(text.as_bytes(), effort);
                let whole = deflate_around(head, &part, tail, effort);
                let expected = [&head[..], text.as_bytes(), tail].concat();
                assert!(inflate(&whole, 1 << 20).unwrap() == expected, "{bytes} bytes, effort {effort}");
            }
        }
    }

    #[test]
    fn whatever_is_cut_or_foreign_is_refused() {
        let whole = deflate(DICTIONARY.repeat(3).as_bytes(), 6);
        for end in 0..whole.len() {
            assert!(matches!(inflate(&whole[..end], 1 << 20), Err(InflateError::Corrupt)), "{end}");
        }
        assert!(matches!(inflate(b"\xff\xff\xff\xff", 1 << 20), Err(InflateError::Corrupt)));
    }

    /// Inflates as a browser does: the dictionary as a stored block, then the stream; then removes the
    /// dictionary.
    #[test]
    fn a_stored_block_stands_in_for_the_dictionary() {
        let len = u16::try_from(DICTIONARY.len()).unwrap();
        let frame = br#"{"type":"batch","room":"demo","previous":1,"sequence":2,"messages":[]}"#;
        for effort in 0..=EFFORT_MAX {
            let stream = [
                &[0][..],
                &len.to_le_bytes(),
                &(!len).to_le_bytes(),
                DICTIONARY.as_bytes(),
                &deflate(frame, effort),
            ]
            .concat();
            let mut opened = Vec::with_capacity(8192);
            let mut state = Decompress::new(false);
            let status = state.decompress_vec(&stream, &mut opened, FlushDecompress::Finish).unwrap();
            assert_eq!(status, Status::StreamEnd);
            assert_eq!(&opened[DICTIONARY.len()..], frame);
            assert_eq!(inflate(&deflate(frame, effort), 100).unwrap(), frame);
        }
    }
}
