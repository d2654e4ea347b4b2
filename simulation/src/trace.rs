//! The trace of a run: a hash over all lines, and the lines themselves when somebody reads them.

use std::fmt::{Arguments, Write};

/// Lines about what happened, in order. Two runs of one seed have the same hash.
#[derive(Debug)]
pub struct Trace {
    hash: Hash,
    lines: Option<Vec<String>>,
}

#[derive(Debug)]
struct Hash(u64);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            // FNV-1a.
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

/// Whether a run keeps its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Each line is a text that can be printed.
    Kept,
    /// Lines are hashed only.
    Hashed,
}

impl Trace {
    /// Creates an empty trace.
    #[must_use]
    pub fn new(lines: Lines) -> Self {
        Trace { hash: Hash(0xcbf2_9ce4_8422_2325), lines: (lines == Lines::Kept).then(Vec::new) }
    }

    /// Adds a line to the hash, and to the lines if they are kept.
    pub fn note(&mut self, line: Arguments<'_>) {
        // A hash takes every text.
        self.hash.write_fmt(line).and_then(|()| self.hash.write_str("\n")).unwrap_or_default();
        if let Some(lines) = &mut self.lines {
            lines.push(line.to_string());
        }
    }

    /// Returns the hash over all lines so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash.0
    }

    /// Returns the lines; none of a trace that is hashed only.
    #[must_use]
    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
