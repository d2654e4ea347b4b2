//! Lanes in JetStream: one stream for each lane, on a connection of their own.

mod engine;
mod record;
mod stream;
mod tail;

pub use engine::NatsLanes;
