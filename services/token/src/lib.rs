//! Tokens: JWTs (HS256 or EdDSA) that name the user of a connection or a request. The algorithm
//! belongs to the key, never to the token. Tickets are signed with the same keys and hold the
//! earliest moment at which a viewer may join. Secrets of their own sign addresses of media.

mod claims;
mod config;
mod error;
mod explain;
mod jwt;
mod keyring;
mod last_token;
mod media;
mod metrics;
mod refusal_log;
mod revocations;
mod ticket;

pub use claims::{Claims, Identity, Role, Rooms};
pub use config::{KeyConfig, TokenConfig};
pub use error::{ClaimProblem, SignatureProblem, TokenError};
pub use explain::Explanation;
pub use jwt::KeyringError;
pub use keyring::Keyring;
pub use last_token::LastToken;
pub use media::{
    AddressKeyError, AddressKeys, AddressQuery, REFERENCE_SECS, Reference, SignedPath, Visibility,
};
pub use revocations::Revocations;
pub use ticket::{TICKET_LEEWAY_MS, Ticket, TicketError};
