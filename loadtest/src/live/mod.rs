//! Figures of a run while it lasts, for Prometheus (`--metrics-listen`).
//!
//! The process that conducts the run serves them. The workers, which measure, take no part in it.

mod listener;
mod totals;

pub use listener::Listener;
pub use totals::{Live, Totals};
