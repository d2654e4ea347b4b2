//! The entry scheduler: tells a client which gateways and uplinks to try, in
//! order, how to race them, and, in a crowd, when.

mod config;
mod door;
mod error;
mod fleet;
mod metrics;
mod moments;
mod race;
mod ranker;
mod region;
mod report;
mod routes;

pub use config::EntryConfig;
pub use error::EntryError;
pub use ranker::{Candidate, rank};
pub use region::{Place, RegionTable};
pub use report::run;
pub use routes::{Entry, router};
