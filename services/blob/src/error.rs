//! Failures of a blob store.

/// Why a call of the store failed. All of these may be tried again, except where the name says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The engine failed: the disk, the network or the server.
    #[error("the blob store failed: {0}")]
    Store(#[from] object_store::Error),
    /// A file of the caller could not be read.
    #[error("a file could not be read: {0}")]
    File(#[from] std::io::Error),
    /// A blob is larger than the caller takes into memory.
    #[error("the blob {name} has {bytes} bytes; {bytes_max} are read at once")]
    TooLarge {
        /// Name of the blob in the store.
        name: String,
        /// Length of the blob in bytes.
        bytes: u64,
        /// Bytes that the caller takes.
        bytes_max: u64,
    },
    /// The settings of the engine cannot be used; a restart with others is needed.
    #[error("the settings of the blob store cannot be used: {0}")]
    Settings(String),
}
