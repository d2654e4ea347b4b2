//! Tokens: who a connection or a request speaks for. JWT, HS256 or EdDSA; the
//! algorithm belongs to the key, never to the token.

mod claims;
mod config;
mod keyring;

pub use claims::{Claims, Identity, Role, Rooms};
pub use config::{KeyConfig, TokenConfig};
pub use keyring::{Keyring, KeyringError, TokenError};
