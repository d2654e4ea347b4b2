//! What the process that decodes a picture is asked, and what it answers, each as one JSON text.

use std::path::PathBuf;

use barrage_protocol::code::Refusal;
use serde::{Deserialize, Serialize};

use super::form::{Form, Picture};
use super::kind::Format;

/// Bounds of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounds {
    pub(super) pixels_max: u64,
    pub(super) frames_max: usize,
    pub(super) memory_bytes_max: u64,
    pub(super) cpu_secs_max: u64,
}

/// One picture to decode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    pub(super) format: Format,
    pub(super) source: PathBuf,
    /// Folder that the forms are written to.
    pub(super) folder: PathBuf,
    pub(super) bounds: Bounds,
}

/// Result of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Decoded {
        picture: Picture,
        forms: Vec<Form>,
    },
    Refused(Refusal),
    /// The job itself failed: a file could not be read or written.
    Failed(String),
}
