//! Settings of the sources of endpoints.

use std::path::PathBuf;

/// Where a client learns its endpoints, beside the first entry and the embedded list.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Base URLs of further entries, asked when the first does not answer. Default none.
    pub entries: Vec<String>,
    /// File in which the client keeps the last good answer of entry for seven days, so that it connects
    /// while every entry is away. Its folder must exist; the file gets the mode 0600. Default none:
    /// nothing is kept.
    pub keep_file: Option<PathBuf>,
    /// Clock for the ages of answers and lists: Unix time in milliseconds. Default the system's.
    pub unix_ms: fn() -> u64,
}

impl Default for SourceConfig {
    fn default() -> Self {
        SourceConfig { entries: Vec::new(), keep_file: None, unix_ms: barrage_clock::unix_ms }
    }
}
