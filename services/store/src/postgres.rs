//! The PostgreSQL engine: one database for a cluster, many processes.
//!
//! A commit is as durable as the server's `synchronous_commit` makes it; the default, `on`, survives
//! a power cut. A ping before use finds connections that a restart of the server broke, and the pool
//! replaces them.

mod archive;
mod dialect;
mod engine;
mod gifts;
mod inspect;
mod polls;
pub(crate) mod pool;

pub use engine::PostgresStore;
pub use inspect::{ServerInfo, inspect};
