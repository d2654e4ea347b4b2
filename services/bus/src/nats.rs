//! The cluster engine: NATS JetStream for messages, NATS key-value for settings and registry.
//!
//! Each partition is a stream that holds the topics of its rooms, one subject a topic. The server
//! republishes each stored message to the subject that subscribers listen on. A position is the
//! stream's sequence: it is total over the rooms of a partition, which the archiver's mark needs.
//! The headers of a republished message name the message before it on its subject: that is the
//! chain. The default is one partition, with all rooms in one order.
//!
//! A process follows a topic once for all its subscribers. It keeps the newest part in memory as
//! the embedded engine does, repairs gaps from the stream before subscribers see them, audits
//! quiet topics, and answers ranges from memory where it can.

mod backup;
mod config;
mod connection;
mod engine;
mod follow;
mod key_value;
mod lanes;
mod mail;
pub(crate) mod moving;
mod publish;
mod setup;
pub(crate) mod stream;

pub use backup::{SKIPPED, SavedStream, Snapshots};
pub use config::{NatsConfig, NatsStorage};
pub use connection::check::{Finding, Level};
pub use connection::connect::NatsError;
pub use engine::NatsBus;
pub use lanes::NatsLanes;
pub use mail::NatsMail;
#[doc(hidden)]
pub use stream::envelope::read_envelope;
