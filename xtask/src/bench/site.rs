//! The processes that a bench measures, and their start.

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

/// Room that all benches post to and watch.
pub(crate) const ROOM: &str = "bench";
