//! Figures of a run while it lasts, for Prometheus: served (`--metrics-listen`), or written to it (`--out prometheus=URL`).
//!
//! The process that conducts the run has them. The workers, which measure, take no part in it.

mod family;
mod listener;
mod remote_write;
mod totals;

pub use family::{Family, Series};
pub use listener::Listener;
pub use remote_write::{RemoteWrite, Written};
pub use totals::{Live, Totals};
