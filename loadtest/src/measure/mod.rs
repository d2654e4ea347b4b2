//! Measurements of a run: counts, latencies, the ledger of messages, and named figures.

pub mod figure;
pub mod interval;
pub mod latency;
pub mod ledger;
pub mod spelling;
