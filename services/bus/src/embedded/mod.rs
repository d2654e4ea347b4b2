//! The embedded engine: one sequencer thread, memory for repair, SQLite for the log.

mod engine;
mod journal;
mod sequencer;
mod topic_log;

pub use engine::EmbeddedBus;
