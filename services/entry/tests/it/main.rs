//! Entry's answers over an embedded bus.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod places;
mod questions;
mod races;
mod site;
mod slots;
