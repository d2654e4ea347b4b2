//! The processes of a bench.

pub(crate) mod admin;
mod build;
mod gateway;
mod part;
mod process;
mod server;

pub(crate) use build::Build;
pub(crate) use gateway::Gateway;
pub(crate) use part::Part;
pub(crate) use process::{Core, Process};
pub(crate) use server::Server;

/// Room of all benches.
pub(crate) const ROOM: &str = "bench";
