//! The embedded engine: one sequencer thread, memory for repair, SQLite for the log.

mod answers;
mod condition;
mod engine;
mod file;
mod journal;
mod lane;
mod mail;
mod mark;
mod pace;
mod reader;
mod recent;
mod room_tables;
mod row;
mod sequencer;
mod stepped;
mod stored_settings;
#[cfg(test)]
mod tests;
mod topics;

pub use engine::EmbeddedBus;
pub use lane::EmbeddedLanes;
pub use mail::EmbeddedMail;
pub use stepped::{Committed, SteppedBus};
