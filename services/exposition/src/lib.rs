//! The answer to a scrape: all metrics of a process in Prometheus' text format or in OpenMetrics, at
//! most so many series, and with exemplars.
//!
//! The `prometheus` crate counts; its encoder has neither OpenMetrics nor exemplars, and no bound. An
//! [`Exposition`] gathers a registry, leaves out label sets above the bound, and writes the rest. A
//! [`TracedHistogram`] keeps the newest traced observation of each bucket, which OpenMetrics shows.

mod budget;
mod config;
mod encode;
mod exemplar;
mod exposition;
mod format;
mod histogram;

pub use config::MetricsConfig;
pub use exemplar::Exemplars;
pub use exposition::Exposition;
pub use format::Format;
pub use histogram::TracedHistogram;
