//! The embedded lane: one file and one thread, apart from the log of rooms.

mod engine;
mod file;
mod writer;

pub use engine::EmbeddedLanes;
