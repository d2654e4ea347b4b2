//! Reads recorded danmaku: XML as Bilibili serves it for a video, and as recorders of its live rooms
//! write it.
//!
//! A recording is untrusted input. All sizes are bounded (see [`Limits`]), and the parser expands,
//! fetches and runs nothing: it ignores a document type, and skips an entry with an entity beside
//! XML's own five. Entries that it cannot read are skipped and counted ([`Skipped`]): old files have
//! many oddities, and one bad entry must not make the whole file unreadable.

pub mod demo;
mod entry;
pub mod generate;
pub mod item;
pub mod limits;
mod number;
mod parser;
pub mod skipped;

use std::io::BufRead;

pub use demo::DEMO;
pub use item::{Item, ItemKind, Mode};
pub use limits::Limits;
pub use skipped::Skipped;

/// Content of a parsed file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// Items by offset, oldest first; equal offsets keep the file's order.
    pub items: Vec<Item>,
    /// Number of skipped entries, by reason.
    pub skipped: Skipped,
    /// Whether any entry has a user name. Without one, senders are the site's hashes.
    pub has_names: bool,
}

impl Recording {
    /// From the stream's beginning to the last item, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.items.last().map_or(0, |item| item.offset_ms)
    }
}

/// Cause for which a whole file is refused.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file exceeds [`Limits::file_bytes_max`].
    #[error("the file is larger than {0} bytes")]
    TooLarge(usize),
    /// The nesting exceeds [`Limits::depth_max`].
    #[error("elements are nested more than {0} deep")]
    TooDeep(usize),
    /// The number of items exceeds [`Limits::items_max`].
    #[error("the file holds more than {0} items")]
    TooManyItems(usize),
    /// The file declares an encoding other than UTF-8.
    #[error("the file is not in UTF-8, convert it first")]
    Encoding,
    /// The first element is not `<i>`.
    #[error("this is not a danmaku file: its first element must be <i>")]
    NotARecording,
    /// Reading from the source failed.
    #[error("the file cannot be read")]
    Read(#[source] std::io::Error),
}

/// Parses the bytes of a whole file.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Recording, RecordingError> {
    if bytes.len() > limits.file_bytes_max {
        return Err(RecordingError::TooLarge(limits.file_bytes_max));
    }
    parser::parse(bytes, limits)
}

/// Reads a source to its end, at most [`Limits::file_bytes_max`], and parses it.
pub fn read(source: impl BufRead, limits: &Limits) -> Result<Recording, RecordingError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let mut bounded = source.take(limits.file_bytes_max as u64 + 1);
    bounded.read_to_end(&mut bytes).map_err(RecordingError::Read)?;
    parse(&bytes, limits)
}
