//! The HTTP shell, on which every role stands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
