//! Room topics, the chain, dedup, repair, settings and the registry, behind one
//! trait. Nothing above asks which engine is there.
//!
//! The embedded engine keeps recent messages in memory and every accepted one in
//! a log on disk that survives `kill -9`. The cluster engine keeps them in a NATS
//! JetStream stream that all processes share.

mod bus;
mod clock;
mod config;
pub mod embedded;
mod events;
mod fault;
mod metrics;
pub mod nats;
mod registry;
mod settings;
mod switch;

pub use bus::{Bus, BusError, Draft, Event, PulseDraft, Range, RangeLimits, Receipt, Subscription, Topic};
pub use config::BusConfig;
pub use embedded::EmbeddedBus;
pub use fault::{Fault, Report};
pub use metrics::BusMetrics;
pub use nats::{NatsBus, NatsConfig};
pub use registry::{EntryLoad, Factor, GatewayLoad, InstanceReport, Registered, Role, entry_load};
pub use settings::{Change, Prewarm, Restriction, RestrictionKind, RoomSettings, Settings};
pub use switch::{SwitchError, SwitchView, Switches};
