//! Parsing of generated, real, hostile and hand-written files.

#![allow(clippy::disallowed_methods, reason = "tests measure with the machine's clocks")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod generated;
mod hostile;
mod real;
mod recorders;
mod round_trip;
mod statistics;
