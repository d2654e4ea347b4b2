//! The uplink: takes messages over short keep-alive HTTP, checks them, and hands
//! them to the bus. The business is here; the gateway knows none of it.

mod access;
mod account;
mod admin;
mod answers;
mod audit;
mod broadcast;
mod call;
mod compose;
mod config;
mod explain;
mod gifts;
mod guest;
mod history;
mod limit;
mod metrics;
mod moderate;
mod name;
mod printable;
mod pulse;
mod recent;
mod record;
mod restrict;
mod routes;
mod send;
mod switch;
mod text;
mod trace;
mod tunnel;

pub use audit::Audit;
pub use config::UplinkConfig;
pub use gifts::GiftConfig;
pub use guest::guest_router;
pub use limit::{LimitsConfig, LimitsError, RULES as LIMIT_RULES};
pub use metrics::UplinkMetrics;
pub use routes::{Parts, Uplink, admin_router, router};
