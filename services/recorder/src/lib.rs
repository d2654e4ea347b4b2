//! The flight recorder: decisions of the last minutes as metadata, in a ring of bounded size. An
//! operator reads them to find the cause of an incident in a room.
//!
//! Records hold no text and no user name. The process that records defines their fields; this crate
//! has the ring, the dump, and the files that an alarm writes.

mod alarm;
mod config;
mod dump;
mod folder;
mod recorder;
mod ring;

pub use config::RecorderConfig;
pub use dump::VERSION;
pub use recorder::{Record, Recorder};
