//! Room topics, the chain, dedup, repair, settings and the registry, behind one
//! trait. Nothing above asks which engine is there.
//!
//! The embedded engine keeps recent messages in memory and every accepted one in
//! a log on disk that survives `kill -9`. The cluster engine keeps them in a NATS
//! JetStream stream that all processes share.

mod bus;
mod change;
mod clock;
mod config;
pub mod embedded;
mod events;
mod fault;
mod metrics;
pub mod nats;
mod refusal;
mod registry;
mod restriction;
mod settings;
mod switch;

pub use bus::{Bus, BusError, Draft, Event, PulseDraft, Range, RangeLimits, Receipt, Subscription, Topic};
pub use change::{Change, ChangeError, Changed, PREWARMS_MAX, RoomPatch, Setting};
pub use config::BusConfig;
pub use embedded::EmbeddedBus;
pub use fault::{Fault, Report};
pub use metrics::BusMetrics;
pub use nats::{NatsBus, NatsConfig};
pub use registry::{EntryReport, Factor, InstanceReport, Registered, Role, entry_load};
pub use restriction::{Restriction, RestrictionKind, Restrictions};
pub use settings::{Prewarm, Revocations, RoomSettings, Settings};
pub use switch::{SwitchError, SwitchView, Switches};
