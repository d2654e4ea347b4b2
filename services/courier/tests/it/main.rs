//! The courier between real lanes and real tables.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cluster;
mod embedded;
mod faulty;
mod mail;
mod support;
