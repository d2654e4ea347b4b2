//! The inbox in a SQLite file of its own: a file shared with the archive would let letters and gifts wait for
//! each other's commits.

mod ask;
mod engine;
mod load;
mod read;
mod worker;
mod write;

pub use engine::SqliteInbox;
