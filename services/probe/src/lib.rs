//! Examines the public path as a viewer uses it: entry, connect, join, post, deliver.
//!
//! [`run`] examines every gateway in turn, and each further site in both directions, until the shutdown.
//! [`Prober::examine`] examines one gateway once. [`RoomProbe`] sends messages to one room. All of them
//! use the public protocol alone.

mod alarm;
mod attempt;
mod config;
mod metrics;
mod phase;
mod prober;
mod room_probe;
mod site;
mod tokens;
mod watched;

pub use attempt::Times;
pub use config::{ProbeConfig, SiteConfig};
pub use metrics::ProbeMetrics;
pub use phase::{Failure, Phase};
pub use prober::{Prober, ProberError, run};
pub use room_probe::{RoomProbe, RoomProbeConfig, RoomProbeError};
pub use site::Site;
pub use tokens::TokenSource;
