//! The entry scheduler: it answers a client with the gateways and uplinks to try, in order, how to
//! race them, and, when more viewers come than the fleet admits, when to connect.
//!
//! Folders, from the bottom up: `place` (costs of distance), `race` (race times of clients), `placement`
//! (which gateway, and when; the order of uplinks), `media` (hosts and pieces of uploads), `newcomers` (grants, tickets, refusals), `answer`
//! (URLs and the region file), `http` (public and admin routes).

mod addresses;
mod answer;
mod config;
mod entry;
mod error;
mod fleet_log;
mod http;
mod media;
mod metrics;
mod nearby;
mod newcomers;
mod place;
mod placement;
mod race;
mod report;

pub use addresses::{HostAddresses, address_problems};
pub use answer::{LocalEndpoints, LocalMedia, RegionTable};
pub use config::EntryConfig;
pub use entry::Entry;
pub use error::EntryError;
pub use http::{admin_router, operations, race_router, router};
pub use media::{MediaHost, MediaHostsConfig, media_problems};
pub use place::{Location, PlaceConfig};
pub use report::run;
