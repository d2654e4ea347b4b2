//! Webhooks: tells a customer's servers what happened in the rooms, at least once.
//!
//! For each receiver of the configuration, `ingest` reads the bus from a durable position and stores
//! the events that the receiver wants; event and position are one transaction, so that a crash loses
//! none. `audit` does the same with the audit log, and `review` with the entries of review queues. `deliver` sends what is stored, signed as Standard Webhooks says, and retries over days. The
//! form of events, the schedule and the surge detector are pure. `barrage-outbound` says which addresses may be asked.

mod audit;
mod batch;
mod client;
mod config;
mod deliver;
mod endpoint;
mod error;
mod event;
mod ingest;
mod metrics;
mod outside;
mod prewarm;
mod review;
mod run;
mod schedule;
mod signature;
mod surge;
mod sweep;

pub use config::{EndpointConfig, SurgeConfig, WebhooksConfig};
pub use error::WebhooksError;
pub use event::KINDS;
pub use metrics::WebhooksMetrics;
pub use outside::{Outside, Sent};
pub use run::{deliver, ingest, run};
pub use schedule::Outcome;
pub use signature::{Secrets, SecretsError};
