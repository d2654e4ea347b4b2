//! Limits of a recording, which is untrusted input.

use serde::{Deserialize, Serialize};

/// `[recording]`: limits of an imported file. A file beyond one of the first three is refused; an entry
/// beyond one of the others is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest file in bytes. Default 67108864 (64 MiB): a day of a busy room with its raw attributes.
    /// The parser holds the file in memory.
    pub file_bytes_max: usize,
    /// Deepest nesting of elements. Default 32: entries are at depth 2, and the style sheet that one
    /// recorder embeds reaches 12.
    pub depth_max: usize,
    /// Maximum number of items. Default 1000000: some 200 MB in memory.
    pub items_max: usize,
    /// Maximum number of attributes of one entry. Default 64: recorders write up to 9.
    pub attributes_max: usize,
    /// Longest text in characters. Default 200, as for a post.
    pub text_chars_max: usize,
    /// Longest sender or gift name in characters. Default 40, as for a gift's name.
    pub name_chars_max: usize,
    /// Latest offset in the stream in seconds. Default 604800 (a week): a later offset is a Unix time in
    /// the wrong field.
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
