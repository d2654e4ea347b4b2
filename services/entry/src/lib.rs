//! The entry scheduler: tells a client which gateways and uplinks to try, in
//! order, and how to race them.

mod config;
mod error;
mod metrics;
mod race;
mod ranker;
mod region;
mod routes;

pub use config::EntryConfig;
pub use error::EntryError;
pub use ranker::{Candidate, rank};
pub use region::{Place, RegionTable};
pub use routes::{Entry, router};
