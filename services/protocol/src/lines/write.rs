//! Frames of one batch of lines.

use std::io::Write;

use super::{Cursor, HEAD_BYTES, TRAIL_UNIT_BYTES, check, dictionary};
use crate::Sequence;
use crate::batch::BatchWriter;
use crate::deflate::deflate_behind;

/// Text of a batch, from which its two frames are made: one that stands alone, and one for viewers that
/// have the lines before it.
#[derive(Debug)]
pub struct LineBatch {
    /// Lines of the batch.
    lines: Vec<u8>,
    /// Header without the part that differs: the chain's advance, and fields beside the messages.
    header: Vec<u8>,
    previous: Sequence,
    before: Cursor,
    trail: Vec<u8>,
    trail_from: Option<Sequence>,
}

const MEMORY: &str = "writing to memory cannot fail";

impl LineBatch {
    pub(super) fn new(
        writer: &BatchWriter,
        before: Cursor,
        lines: &[u8],
        trail: &[u8],
        trail_from: Option<Sequence>,
    ) -> Self {
        let mut header = Vec::new();
        write!(header, "\t{}\t", writer.sequence.0 - writer.previous.0).expect(MEMORY);
        writer.write_rest(&mut header);
        header.push(b'\n');
        let (lines, trail) = (lines.to_vec(), trail.to_vec());
        LineBatch { lines, header, previous: writer.previous, before, trail, trail_from }
    }

    /// Sequence of the oldest message in the trail. A viewer that was sent all lines from this one up to the
    /// batch may be sent [`LineBatch::behind`]; `None` when there is no trail.
    #[must_use]
    pub fn trail_from(&self) -> Option<Sequence> {
        self.trail_from
    }

    /// Takes the trail out, for the one frame that needs it.
    #[must_use]
    pub fn take_trail(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.trail)
    }

    /// Returns the frame that refers to no lines before it, deflated with an effort from 1 to 9.
    #[must_use]
    pub fn alone(&self, effort: u32) -> Vec<u8> {
        let Cursor { sequence, at_ms, form } = &self.before;
        let lag = self.previous.0.cast_signed() - sequence.cast_signed();
        let mut text = self.previous.0.to_string().into_bytes();
        text.extend_from_slice(&self.header);
        writeln!(text, "{lag}\t{at_ms}\t{form}").expect(MEMORY);
        text.extend_from_slice(&self.lines);
        frame(0, &text, &[], effort)
    }

    /// Returns the frame for viewers that have the trail, which [`LineBatch::take_trail`] returned.
    #[must_use]
    pub fn behind(&self, trail: &[u8], effort: u32) -> Vec<u8> {
        let units = u8::try_from(trail.len() / TRAIL_UNIT_BYTES).expect("a trail has at most 254 units");
        frame(units, &[&self.header[..], &self.lines].concat(), trail, effort)
    }
}

fn frame(units: u8, text: &[u8], trail: &[u8], effort: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + text.len() / 2 + 64);
    out.push(units);
    out.extend_from_slice(&check(text));
    deflate_behind(&mut out, &dictionary(trail), text, effort);
    out
}
