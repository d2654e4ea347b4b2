//! The controller against a small API server in memory and, where one is installed, a real one;
//! and the binary as its users run it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a skipped test prints the reason")]
#![allow(unreachable_pub, missing_docs, reason = "modules of a test")]

mod chart;
mod fake;
mod leader;
mod real;
mod real_scenario;
mod scale_in;
mod scale_out;
mod spec;
mod tool;
mod world;

/// The only write that changes the number of gateways.
const SCALE: &str = "PATCH deployments/gateway/scale";
