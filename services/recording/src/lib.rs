//! Parses recorded danmaku: the XML that Bilibili serves for a video, and that recorders of its live
//! rooms write.
//!
//! A recording is untrusted input. Everything in it is bounded (see [`Limits`]), and nothing is
//! expanded, fetched or run: the parser ignores a document type, and skips an entry with an entity
//! other than XML's own five. Entries that cannot be parsed are skipped and counted ([`Skipped`]):
//! old files have many oddities, and one of them must not cost the others.

pub mod convert;
pub mod demo;
mod entry;
pub mod export;
pub mod generate;
pub mod item;
pub mod limits;
mod number;
mod parser;
mod placed;
pub mod skipped;

use std::io::BufRead;

pub use demo::DEMO;
pub use item::{Item, ItemKind, Mode};
pub use limits::Limits;
pub use skipped::Skipped;

/// Content of a file: the kept items, and the number of skipped entries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// Items by offset, oldest first; those of one offset in the order of the file.
    pub items: Vec<Item>,
    /// Numbers of skipped entries by reason; none of them is among the items.
    pub skipped: Skipped,
    /// Some entry has a user name. Without any, senders are the site's hashes.
    pub has_names: bool,
}

impl Recording {
    /// Returns the milliseconds from the start of the stream to the last item.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.items.last().map_or(0, |item| item.offset_ms)
    }
}

/// Why a whole file is refused; a bad entry alone is only skipped.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file exceeds [`Limits::file_bytes_max`] and was not parsed.
    #[error("the file is larger than {0} bytes")]
    TooLarge(usize),
    /// The elements are nested deeper than [`Limits::depth_max`].
    #[error("elements are nested more than {0} deep")]
    TooDeep(usize),
    /// The file has more items than [`Limits::items_max`]; none is returned.
    #[error("the file holds more than {0} items")]
    TooManyItems(usize),
    /// The file declares an encoding other than UTF-8.
    #[error("the file is not in UTF-8, convert it first")]
    Encoding,
    /// The first element is not `<i>`, or the file has no element.
    #[error("this is not a danmaku file: its first element must be <i>")]
    NotARecording,
    /// Reading the source failed, before any entry was parsed.
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
