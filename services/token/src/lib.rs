//! Tokens: who a connection or a request speaks for. JWT, HS256 or EdDSA; the
//! algorithm belongs to the key, never to the token. And tickets, signed with the same
//! keys: when somebody may come in.

mod claims;
mod config;
mod crypto;
mod keyring;
mod ticket;

pub use claims::{Claims, Identity, Role, Rooms};
pub use config::{KeyConfig, TokenConfig};
pub use keyring::{Keyring, KeyringError, TokenError};
pub use ticket::{TICKET_LEEWAY_MS, Ticket, TicketError};
