//! The entry scheduler: tells a client which gateways and uplinks to try, in
//! order, how to race them, and, in a crowd, when.

mod admin;
mod attendance;
mod candidate;
mod config;
mod door;
mod error;
mod factors;
mod grants;
mod hearing;
mod metrics;
mod moments;
mod placer;
mod prewarm;
mod race;
mod region;
mod report;
mod routes;
mod unix;
mod urls;

pub use admin::admin_router;
pub use config::EntryConfig;
pub use error::EntryError;
pub use region::{Place, RegionTable};
pub use report::run;
pub use routes::{Entry, router};
pub use urls::Here;
