//! Reads recorded danmaku: the XML that Bilibili serves for a video, and that
//! recorders of its live rooms write.
//!
//! A recording comes from a stranger, so everything about it is bounded (see
//! [`Limits`]) and nothing in it is expanded, fetched or run: a document type is
//! passed over unread, and an entity other than XML's own five is a reason to
//! skip. What cannot be read is skipped and counted ([`Skipped`]), because old
//! files are full of oddities and one of them must not cost the rest.

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

/// What a file held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// By offset, oldest first; of one offset in the file's order.
    pub items: Vec<Item>,
    /// What was left behind, by reason.
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

/// Why a file is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Over [`Limits::file_bytes_max`].
    #[error("the file is larger than {0} bytes")]
    TooLarge(usize),
    /// Over [`Limits::depth_max`].
    #[error("elements are nested more than {0} deep")]
    TooDeep(usize),
    /// Over [`Limits::items_max`].
    #[error("the file holds more than {0} items")]
    TooManyItems(usize),
    /// Declares an encoding other than UTF-8.
    #[error("the file is not in UTF-8, convert it first")]
    Encoding,
    /// The first element is not `<i>`.
    #[error("this is not a danmaku file: its first element must be <i>")]
    NotARecording,
    /// The source failed.
    #[error("the file cannot be read")]
    Read(#[source] std::io::Error),
}

/// Parses a whole file's bytes.
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
