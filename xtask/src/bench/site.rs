//! The processes that a bench measures, and their start.

pub(crate) mod admin;
mod build;
mod callgrind;
mod collector;
mod deployment;
mod gateway;
mod part;
mod platform;
mod post_server;
mod process;
mod readers;
mod server;
mod slow_core;

pub(crate) use build::Build;
pub(crate) use callgrind::{Callgrind, Counted, CountedThreads};
pub(crate) use collector::Collector;
pub(crate) use deployment::{Deployment, POSTS_ROOM, Processes};
pub(crate) use gateway::{Gateway, KEY, empty_folder};
pub(crate) use part::Part;
pub(crate) use platform::{Platform, read_answer};
pub(crate) use post_server::{PostLog, PostServer};
pub(crate) use process::{Core, Process};
pub(crate) use readers::{Read, Readers};
pub(crate) use server::Server;
pub(crate) use slow_core::SlowCore;

/// Room that all benches post to and watch.
pub(crate) const ROOM: &str = "bench";
