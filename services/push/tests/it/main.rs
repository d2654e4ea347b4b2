//! Messages for browsers, opened by a library of others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
