//! The wire encoding `lines`: a batch as lines of values, deflated against the lines that the viewer was sent
//! before.
//!
//! A body is split into its **form**, the JSON with a hole for each value, and the values. A line has the
//! values; a form stands once, before the first line that it fits. The lines of a room are one text,
//! whatever its batches are: so all batches of a position refer to the same **trail**, the text before them.
//! `docs/reference/protocol.md` has the format.

mod form;
mod log;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use log::{LineItem, LineLog};
pub use read::{LineReader, LinesError};
pub use write::LineBatch;

use crate::deflate::DICTIONARY;

/// Forms that most messages have, behind the dictionary of the encoding `deflate`. Part of the protocol:
/// `docs/reference/protocol.md` prints it.
pub const FORMS: &str = include_str!("../forms.txt");

/// Unit in which a frame states how much of the trail it refers to, in bytes.
pub const TRAIL_UNIT_BYTES: usize = 64;
/// Longest trail that a frame may refer to, and that a client keeps, in bytes.
pub const TRAIL_BYTES_MAX: usize = 254 * TRAIL_UNIT_BYTES;

/// First byte of a binary frame that has JSON, deflated as in the encoding `deflate`.
pub const JSON_FRAME: u8 = 255;

/// Bytes before the deflated text: the units of the trail, and the check.
const HEAD_BYTES: usize = 4;
/// Mark of a value in a form, and the separator of values in a line.
const HOLE: u8 = b'\t';
/// Mark in a form of the time of the message.
const TIME_HOLE: u8 = 1;

/// Position, time and form behind one line, from which the next line counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cursor {
    /// Sequence of the message.
    sequence: u64,
    /// Time of the newest message that has one, in Unix milliseconds; 0 before.
    at_ms: u64,
    /// Class and form; empty before the first one.
    form: std::sync::Arc<str>,
}

/// Returns the text that a stream may refer to: the dictionary, the forms, and a trail.
fn dictionary(trail: &[u8]) -> Vec<u8> {
    [DICTIONARY.as_bytes(), FORMS.as_bytes(), trail].concat()
}

/// Hashes a text to 24 bits: FNV-1a of 32 bits, of which the highest 8 are mixed into the rest.
fn check(text: &[u8]) -> [u8; 3] {
    let hash =
        text.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let [_, check @ ..] = ((hash >> 24) ^ (hash & 0x00ff_ffff)).to_be_bytes();
    check
}
