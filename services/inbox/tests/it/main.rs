//! Rules of the inbox on tables in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod groups;
mod law;
mod letters;
mod support;
