//! The archiver: copies durable messages from the bus to the store, in order, without gaps.
//!
//! Messages reach viewers without the archiver: while it is down, only the history gets older. Its
//! state is the position of the archive in each partition of the bus. The position moves in the
//! transaction that writes the messages, so that a crash loses no message and writes none twice.

pub mod archiver;
pub mod config;
pub mod derive;
pub mod error;
pub mod metrics;
mod order;
mod partition;
mod rooms;
mod sweep;

pub use archiver::{Report, run};
pub use config::ArchiverConfig;
pub use error::ArchiverError;
pub use metrics::ArchiverMetrics;
