//! Requests to addresses that others name: receivers of webhooks, push services of browsers.
//!
//! [`Reachable`] says which addresses are permitted, and is pure. [`GuardedResolver`] and [`GuardedResolver::addresses`]
//! resolve a name and keep the permitted addresses alone. The connection is made to what is left, so that a name cannot
//! change between the check and the connection.

mod address;
mod resolver;
mod retry_after;

pub use address::{Encryption, Reachable};
pub use resolver::{AddressError, GuardedResolver, literal};
pub use retry_after::retry_after;
