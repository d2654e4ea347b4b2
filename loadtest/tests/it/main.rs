//! The load tester as a process, against real servers.

#![allow(clippy::disallowed_methods, reason = "tests measure with the machine's clocks")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod capacity;
mod dashboards;
mod inbox;
mod out;
mod queue;
mod regions;
mod replay;
mod run;
mod site;
