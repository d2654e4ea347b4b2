//! The recorder's bounds.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[gateway.recorder]`, `[uplink.recorder]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecorderConfig {
    /// Memory for the records of all rooms together; at the bound the oldest go, whichever
    /// room's they are. Default 8388608: some 100,000 messages or batches. It is taken when it
    /// is first written. 0 turns the recorder off.
    pub bytes_max: usize,
    /// Older records are not told. Default 10.
    pub minutes: u32,
    /// Folder that dumps are written into when a room is in trouble. Default: none, which
    /// means that dumps are given on request alone.
    pub folder: Option<PathBuf>,
    /// Files of one process kind there at most; one more takes the place of the oldest.
    /// Default 20.
    pub files_max: usize,
}

impl Default for RecorderConfig {
    fn default() -> Self {
        RecorderConfig { bytes_max: 8 << 20, minutes: 10, folder: None, files_max: 20 }
    }
}
