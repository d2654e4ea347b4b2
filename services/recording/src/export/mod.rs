//! Writes recordings: Bilibili XML, which this crate reads again, and ASS subtitles.

pub mod ass;
mod entry;
mod lanes;
pub mod xml;

pub use entry::Entry;
