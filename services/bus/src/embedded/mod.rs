//! The embedded engine: one sequencer thread, memory for repair, SQLite for the log.

mod condition;
mod engine;
mod file;
mod journal;
mod mark;
mod sequencer;
#[cfg(test)]
mod tests;
pub(crate) mod topic_log;

pub use engine::EmbeddedBus;
pub(crate) use engine::lock;
