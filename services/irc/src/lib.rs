//! IRC gateway: serves IRC clients and bots, and is itself a client of the public protocol.
//!
//! Each room of an IRC connection has one viewer of [`barrage_client`], and each connection one sender, both
//! with the token of its `PASS` line. The gateway keeps nothing but its sockets: entry, gateways and uplinks
//! decide who may watch, post and act.
//!
//! Folders, from the bottom up: `wire` (lines, names and tags), `session` (decisions without I/O),
//! `connection` (one socket), `server` (listeners).

mod config;
mod connection;
mod metrics;
mod server;
mod session;
mod wire;

pub use config::IrcConfig;
pub use metrics::IrcMetrics;
pub use server::{IrcParts, run};
#[doc(hidden)]
pub use wire::{parse_client_line, respell};
