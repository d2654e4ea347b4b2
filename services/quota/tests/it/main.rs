//! The shared quota against a real Redis.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod away;
mod engines;
mod instance;
mod online;
mod pages;
mod shared;
mod tls;
