//! Secrets of media: they sign addresses of bytes, and references to media in messages.

mod address;
mod reference;

pub use address::{AddressKeyError, AddressKeys, AddressQuery, SignedPath, Visibility};
pub use reference::{REFERENCE_SECS, Reference};
