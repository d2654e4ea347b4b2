//! The flight recorder: the last minutes of what a process decided, as metadata, in a ring of
//! bounded size, for whoever asks afterwards what happened to a room.
//!
//! It holds no text and no user's name. What a record says is its owner's business; here is the
//! ring, the dump, and the files that are written when a room is in trouble.

mod alarm;
mod config;
mod dump;
mod folder;
mod recorder;
mod ring;

pub use config::RecorderConfig;
pub use dump::VERSION;
pub use recorder::{Record, Recorder};
