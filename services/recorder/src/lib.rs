//! The flight recorder: metadata of a process's decisions of the last minutes, in a ring of bounded
//! size. It explains afterwards what happened in a room.
//!
//! The recorder holds no text and no user name. Its owner defines the records; this crate has the
//! ring, the dump, and the files that are written when a room is in trouble.

mod config;
mod dump;
mod folder;
mod limiter;
mod recorder;
mod ring;

pub use config::RecorderConfig;
pub use dump::VERSION;
pub use recorder::{Record, Recorder};
