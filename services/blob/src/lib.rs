//! Blobs: bytes under a name that are written once, in files or in a bucket of S3.
//!
//! `object_store` is behind it, and no other crate uses that library. A caller cannot see which engine is there. Names
//! contain the digest of what they hold, so that no write needs a condition: two writers of one name write the same
//! bytes.

mod blobs;
mod config;
mod error;
mod name;
mod pieces;

pub use blobs::{Blobs, Listed};
pub use config::S3Config;
pub use error::BlobError;
pub use name::BlobName;
pub use pieces::{PIECE_BYTES, Pieces};
