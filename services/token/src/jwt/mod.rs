//! The parts of a JWT: keys and signatures, the header, and the claims of the payload.

mod crypto;
pub(crate) mod header;
mod key;
mod payload;

pub use key::KeyringError;
pub(crate) use key::{Key, ticket_audience};
pub(crate) use payload::{Payload, PayloadError, Rules, cut};
