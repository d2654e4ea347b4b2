//! Webhooks from a real bus and a real store to receivers that behave in every way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_receivers;
mod delivering;
mod prewarming;
mod receiver;
mod reviewing;
mod site;
