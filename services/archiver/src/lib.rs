//! Takes durable messages off the bus into the store, in order, skipping none.
//!
//! It is not on a message's way to the viewers: when it stands still, history
//! grows old and nothing else happens. Its only state is the store's high-water
//! position in each partition of the bus, which moves in the transaction that keeps the messages, so a crash
//! at any moment loses nothing and keeps nothing twice.

pub mod archiver;
mod backoff;
pub mod config;
pub mod derive;
pub mod error;
pub mod metrics;
mod partition;
mod rooms;
mod sweep;

pub use archiver::{Report, run};
pub use config::ArchiverConfig;
pub use error::ArchiverError;
pub use metrics::ArchiverMetrics;
