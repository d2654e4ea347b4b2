//! The entry scheduler: it answers a client with the gateways and uplinks to try, in order, how to
//! race them, and, when more viewers come than the fleet admits, when to connect.
//!
//! Folders, from the bottom up: `placement` (which gateway, and when), `newcomers` (grants, tickets,
//! refusals), `answer` (URLs and regions), `http` (public and admin routes).

mod answer;
mod config;
mod entry;
mod error;
mod fleet_log;
mod http;
mod metrics;
mod newcomers;
mod placement;
mod report;

pub use answer::{LocalEndpoints, Location, RegionTable};
pub use config::EntryConfig;
pub use entry::Entry;
pub use error::EntryError;
pub use http::{admin_router, router};
pub use report::run;
