//! The uplink: takes messages over short keep-alive HTTP, checks them, and hands
//! them to the bus. The business is here; the gateway knows none of it.

mod access;
mod admin;
mod compose;
mod config;
mod guest;
mod history;
mod limit;
mod metrics;
mod pulse;
mod recent;
mod routes;
mod send;
mod text;
mod tunnel;

pub use config::UplinkConfig;
pub use limit::LimitsConfig;
pub use metrics::UplinkMetrics;
pub use routes::{Uplink, admin_router, router};
