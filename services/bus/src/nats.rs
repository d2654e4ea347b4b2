//! The cluster engine: NATS JetStream for messages, NATS key-value for settings and
//! the registry.
//!
//! A stream holds the topics of its partition, a subject each, and the server
//! republishes what it has stored to the subject that subscribers listen on. So a
//! position is the stream's sequence, total over the rooms of a partition (the
//! archiver's mark depends on it), and the headers of a republished message name the one
//! before it on its subject: that is the chain. One partition is the default: all rooms
//! in one order.
//!
//! A process follows a topic once for all its subscribers: it keeps the newest part in
//! memory as the embedded engine does, mends gaps from the stream before anybody sees
//! them, audits what stays quiet, and answers ranges from memory where it can.

mod audit;
mod backfill;
mod bucket;
mod check;
mod config;
mod connect;
mod engine;
mod envelope;
mod followed;
mod follower;
mod following;
mod gather;
mod hearing;
mod link;
mod names;
mod package;
mod partition;
mod publisher;
mod reader;
mod registry;
mod server_time;
mod settings;
mod setup;
mod streams;
mod tail;

pub use check::{Finding, Level};
pub use config::{NatsConfig, NatsStorage};
pub use connect::NatsError;
pub use engine::NatsBus;
