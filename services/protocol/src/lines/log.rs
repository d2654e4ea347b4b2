//! Lines of one room, in the order of the chain.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

use super::form::{Split, split};
use super::{Cursor, LineBatch, TRAIL_BYTES_MAX, TRAIL_UNIT_BYTES};
use crate::batch::BatchWriter;
use crate::{Class, MessageId, Sequence};

/// Message to write as a line.
#[derive(Debug, Clone, Copy)]
pub struct LineItem<'a> {
    /// Position in the room's chain, greater than that of the item before.
    pub sequence: Sequence,
    /// Class of the message, which stands before its form.
    pub class: Class,
    /// Id that the sender chose, which a chat's line leaves out.
    pub id: Option<&'a MessageId>,
    /// JSON object that the uplink made.
    pub body: &'a [u8],
}

/// Newest lines of a room: those that a batch may still need, and the trail before them.
///
/// The caller bounds it by [`LineLog::trim`].
#[derive(Debug, Default)]
pub struct LineLog {
    text: Vec<u8>,
    lines: VecDeque<Line>,
    /// Cursor before the first line.
    before: Cursor,
    /// Bytes of the text that were trimmed off, from which the lines' ends count.
    trimmed: usize,
}

#[derive(Debug)]
struct Line {
    /// Cursor behind the line.
    cursor: Cursor,
    /// End of the line in the text, with what was trimmed off.
    end: usize,
}

impl LineLog {
    /// Adds the next message of the chain. A body that is no object in compact JSON has no line, and neither
    /// has a message out of order: the log is then empty, and the answer false.
    pub fn push(&mut self, item: LineItem<'_>) -> bool {
        let is_next = self.lines.back().is_none_or(|last| last.cursor.sequence < item.sequence.0);
        let body = std::str::from_utf8(item.body).ok().filter(|_| is_next);
        let Some(split) = body.and_then(|body| split(item.class, item.id, body)) else {
            self.clear();
            return false;
        };
        let is_first = self.lines.is_empty() && self.before == Cursor::default();
        if is_first {
            self.before.sequence = item.sequence.0.saturating_sub(1);
            self.before.at_ms = split.at_ms.unwrap_or_default();
        }
        let cursor = self.write(item.sequence, split);
        self.lines.push_back(Line { cursor, end: self.trimmed + self.text.len() });
        true
    }

    /// Writes a line; returns the cursor behind it.
    fn write(&mut self, sequence: Sequence, split: Split) -> Cursor {
        let last = self.lines.back().map_or(&self.before, |line| &line.cursor);
        let mut text = String::with_capacity(split.values.len() + 16);
        let form = if *last.form == split.form {
            Arc::clone(&last.form)
        } else {
            text.push_str(&split.form);
            text.push('\n');
            split.form.into()
        };
        let at_ms = split.at_ms.unwrap_or(last.at_ms);
        let (passed_ms, step) =
            (at_ms.cast_signed() - last.at_ms.cast_signed(), sequence.0.saturating_sub(last.sequence));
        const MEMORY: &str = "writing to memory cannot fail";
        if passed_ms != 0 {
            write!(text, "{passed_ms}").expect(MEMORY);
        }
        if step != 1 {
            write!(text, " {step}").expect(MEMORY);
        }
        text.push_str(&split.values);
        text.push('\n');
        self.text.extend_from_slice(text.as_bytes());
        Cursor { sequence: sequence.0, at_ms, form }
    }

    /// Forgets all lines, so that no later batch refers to them.
    pub fn clear(&mut self) {
        *self = LineLog::default();
    }

    /// Returns the batch of `writer`'s range, which has so many messages, with at most `trail_bytes` of the
    /// text before it. `None` where the log does not have exactly these lines.
    #[must_use]
    pub fn batch(&self, writer: &BatchWriter, messages: usize, trail_bytes: usize) -> Option<LineBatch> {
        let first = self.lines.partition_point(|line| line.cursor.sequence <= writer.previous.0);
        let end = self.lines.partition_point(|line| line.cursor.sequence <= writer.sequence.0);
        let is_whole = end - first == messages && (messages == 0 || writer.previous < writer.sequence);
        if !is_whole || (self.lines.is_empty() && self.before == Cursor::default()) {
            return None;
        }
        let (from, to) = (self.start_of(first), self.start_of(end));
        let units = from.min(trail_bytes.min(TRAIL_BYTES_MAX)) / TRAIL_UNIT_BYTES;
        let trail = &self.text[from - units * TRAIL_UNIT_BYTES..from];
        let oldest = self.lines.partition_point(|line| line.end - self.trimmed <= from - trail.len());
        let before = first.checked_sub(1).map_or(&self.before, |last| &self.lines[last].cursor);
        let trail_from =
            self.lines.get(oldest).filter(|_| units > 0).map(|line| Sequence(line.cursor.sequence));
        Some(LineBatch::new(writer, before.clone(), &self.text[from..to], trail, trail_from))
    }

    /// Place in the text at which a line begins, counted from the first line.
    fn start_of(&self, line: usize) -> usize {
        line.checked_sub(1).map_or(0, |last| self.lines[last].end - self.trimmed)
    }

    /// Forgets the lines that no batch behind `sequence` needs, with this much of the text before it.
    pub fn trim(&mut self, sequence: Sequence, trail_bytes: usize) {
        let first = self.lines.partition_point(|line| line.cursor.sequence <= sequence.0);
        let from = self.start_of(first).saturating_sub(trail_bytes.min(TRAIL_BYTES_MAX) + TRAIL_UNIT_BYTES);
        let gone = self.lines.partition_point(|line| line.end - self.trimmed <= from);
        let bytes = self.start_of(gone);
        if let Some(last) = self.lines.drain(..gone).next_back() {
            self.before = last.cursor;
            self.text.drain(..bytes);
            self.trimmed += bytes;
        }
    }

    /// Bytes of the text that is kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}
