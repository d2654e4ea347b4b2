//! The archiver from real buses to a real store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archiving;
mod harness;
mod partitions;
