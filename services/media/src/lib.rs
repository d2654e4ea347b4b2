//! The role media: uploads by tus, the check of what was uploaded, and delivery by signed addresses.
//!
//! It has listeners of its own and is never a gateway's: an upload and a download cost bytes, and the chat costs none of
//! them. It knows no room. Folders, from the bottom up: `upload` and `deliver` (values), `spool` (the disk), `check`
//! (what was uploaded), `scan` (a scanner for malware), `review` (the hook and moderators), `known` (proofs of possession), `http` (routes).
//!
//! A medium is named by the SHA-256 of the uploaded bytes. Its forms, and a record of them, are in the blob store; who has
//! a signed address may read one. There is no table of media: the store is the only truth about them, the tables of messages about their use, and the disk of this process
//! about uploads that are not finished.

mod asking;
mod avatar;
mod check;
mod collect;
mod config;
mod cover;
mod deliver;
mod denied;
mod error;
mod http;
mod kinds;
mod known;
mod marks;
mod media;
mod metrics;
mod quotas;
mod record;
mod review;
mod role;
mod scan;
mod spool;
mod upload;
mod uses;

pub use check::{CHILD_ARGUMENT, check_child};
pub use config::{CheckConfig, MediaConfig};
pub use error::MediaError;
pub use http::operations;
pub use kinds::MediaKinds;
pub use media::{Media, MediaParts};
pub use scan::{Away, ClamdConfig};
pub use uses::{Uses, UsesError};
