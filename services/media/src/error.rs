//! Failures at the start of the role, and refusals that several routes share.

use barrage_blob::BlobError;
use barrage_http::ApiError;
use barrage_protocol::Code;

/// Why the role cannot start.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The folder of unfinished uploads cannot be used.
    #[error("the spool {folder} cannot be used: {error}")]
    Spool {
        /// Folder of the setting `media.spool_dir`.
        folder: String,
        /// Failure of the file system.
        error: std::io::Error,
    },
    /// The file of denied digests cannot be read.
    #[error("media.check.denied_file: {0}")]
    Denied(String),
    /// A quota is out of range.
    #[error("a quota of media is out of range: {0}")]
    Quota(#[from] barrage_flow::RuleError),
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Milliseconds after which a client may try again when the disk or the store has failed.
const RETRY_MS: u64 = 5_000;

/// Makes the answer for a failure of the disk. The cause goes to the log.
pub(crate) fn disk(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "the spool of uploads failed");
    ApiError::new(Code::Unavailable, "the upload cannot be written now; try again").retry_after_ms(RETRY_MS)
}

/// Makes the answer for a failure of the blob store. The cause goes to the log.
#[expect(clippy::needless_pass_by_value, reason = "a conversion for map_err")]
pub(crate) fn store(error: BlobError) -> ApiError {
    tracing::error!(%error, "the store of media failed");
    ApiError::new(Code::Unavailable, "the store of media does not answer; try again").retry_after_ms(RETRY_MS)
}

/// Makes the answer for a medium that could not be removed. The cause goes to the log.
pub(crate) fn erasing(error: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%error, "a medium could not be removed");
    ApiError::new(Code::Unavailable, "the medium could not be removed whole; try again")
        .retry_after_ms(RETRY_MS)
}

/// Makes the answer for an upload that is not there, or belongs to another user.
pub(crate) fn no_upload() -> ApiError {
    ApiError::new(Code::NotFound, "there is no such upload here; begin a new one")
}
