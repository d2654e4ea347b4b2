//! Tokens and tickets through the keyring.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod explain;
mod tickets;
