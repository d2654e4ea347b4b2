//! The embedded engine: one sequencer thread, memory for repair, SQLite for the log.

mod engine;
mod journal;
mod sequencer;
pub(crate) mod topic_log;

pub use engine::EmbeddedBus;
pub(crate) use engine::lock;
pub(crate) use sequencer::unix_ms;
