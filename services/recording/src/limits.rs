//! The bounds of a recording.

use serde::{Deserialize, Serialize};

/// `[recording]`: bounds of what an imported file may hold. The first three
/// refuse the file, the others skip the entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest file in bytes. Default 67108864 (64 MiB): a day of a busy room
    /// with its raw attributes; the file is held in memory while it is read.
    pub file_bytes_max: usize,
    /// Deepest nesting of elements. Default 32: entries lie at 2, the style sheet
    /// that one recorder embeds goes to 12.
    pub depth_max: usize,
    /// Most items. Default 1000000: some 200 MB in memory.
    pub items_max: usize,
    /// Most attributes of one entry. Default 64: recorders write up to 9.
    pub attributes_max: usize,
    /// Longest text in characters. Default 200, as for a post.
    pub text_chars_max: usize,
    /// Longest sender or gift name in characters. Default 40, as for a gift's name.
    pub name_chars_max: usize,
    /// Latest offset into the stream in seconds. Default 604800 (a week): a later
    /// one is a Unix time in the wrong place.
    pub offset_secs_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            file_bytes_max: 64 * 1024 * 1024,
            depth_max: 32,
            items_max: 1_000_000,
            attributes_max: 64,
            text_chars_max: 200,
            name_chars_max: 40,
            offset_secs_max: 7 * 24 * 3600,
        }
    }
}
