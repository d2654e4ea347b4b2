//! Accounts of a site that has no backend of its own: registration, login, sessions, tokens.
//!
//! A site with a backend signs tokens itself and needs none of this. Secrets travel in bodies, never in
//! cookies or URLs, so that another site cannot act with a visitor's browser.

mod config;
mod control;
mod form;
mod hasher;
mod http;
mod limit;
mod names;

pub use config::AccountsConfig;
pub use control::AccountParts;
pub use http::account_router;
pub(crate) use http::operations;
pub use names::AccountNames;
