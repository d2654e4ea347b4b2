//! The inbox in a SQLite file of its own: a file shared with the archive would let letters and gifts wait for
//! each other's commits.

mod ask;
mod audit;
mod engine;
mod erase;
mod load;
mod push;
mod push_calls;
mod read;
mod reports;
mod trim;
mod worker;
mod write;

pub use engine::SqliteInbox;
