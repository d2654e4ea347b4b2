//! The SQLite engine: one file, one process.
//!
//! All writes use one connection, so that they queue instead of failing as busy. Readers have
//! connections of their own and never wait for a writer, thanks to the write-ahead log.
//! `synchronous = FULL` makes a commit survive a power cut, not only the end of the process.

mod archive;
mod copy;
mod dialect;
mod engine;
mod file;
mod gifts;
mod polls;

pub use copy::copy_database;
pub use engine::SqliteStore;
