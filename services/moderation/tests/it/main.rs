//! The moderator as its callers use it, with and without a hook.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hook;
mod moderator;
