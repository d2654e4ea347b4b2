//! Forms of a medium that a check has made.

use std::path::PathBuf;

use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use serde::{Deserialize, Serialize};

/// Name of the form that has the uploaded bytes, or what is left of them.
pub(super) const ORIGINAL: &str = "original";

/// One form, in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) media_type: String,
    pub(super) file: PathBuf,
}

/// What is known of a picture that was decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) is_animated: bool,
    pub(super) thumbhash: Vec<u8>,
}

/// Why a check made no forms.
#[derive(Debug)]
pub(super) enum Problem {
    /// The file is refused, and its sender learns why.
    Refused(Refusal),
    /// The check exceeded its memory or time: the file is refused.
    Limit,
    /// The disk, the store or the process failed: the check is made again.
    Failed(String),
    /// The sender ended the upload, or this process stops.
    Ended,
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Problem::Failed(error.to_string())
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Problem::Failed(error.0.message)
    }
}
