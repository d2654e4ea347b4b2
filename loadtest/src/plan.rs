//! What travels between the conductor and its workers, over pipes, one JSON object a line.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::interval::Interval;
use crate::ledger::{Balance, Ledger};
use crate::scenario::Scenario;

/// After an interruption, for messages on their way to the viewers. Shorter than a scenario's
/// own settling time, because a person waits.
pub const INTERRUPTED_SETTLE_SECS: f64 = 1.0;

/// What a worker is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario, with what the command line changed.
    pub scenario: Scenario,
    /// Host and port of entry, as the `Host` header has it.
    pub host: String,
    /// Address of entry.
    pub address: SocketAddr,
    /// Which worker this is, from 0.
    pub worker: u32,
    /// How many there are.
    pub workers: u32,
    /// Threads of each worker.
    pub threads: u32,
    /// Seed of everything random that decides the load.
    pub seed: u64,
    /// When the first phase begins.
    pub start: Moment,
    /// Tokens of the senders.
    pub tokens: Vec<String>,
    /// Whether faults cut connections; they do not when a hook does the harm.
    pub cut: bool,
}

/// Which part of the load is whose: viewer `n` belongs to shard `n % shards`.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// This one, from 0.
    pub shard: u32,
    /// Threads of all workers.
    pub shards: u32,
}

/// Conductor to worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToWorker {
    /// The first line.
    Plan(Box<Plan>),
    /// The person interrupted the run: no more posts; what is under way has
    /// [`INTERRUPTED_SETTLE_SECS`] to arrive, then the viewers leave.
    Stop,
    /// What all workers together know to have been sent; the worker answers with the balance.
    Ledger(Ledger),
}

/// Worker to conductor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromWorker {
    /// One second is over.
    Tick {
        /// Which, from 0.
        second: u32,
        /// What it brought.
        interval: Box<Interval>,
        /// CPU time of the worker since the second before.
        cpu_secs: f64,
    },
    /// Everything is over; what this worker knows to have been sent.
    Ledger(Ledger),
    /// The last line.
    Balance(Balance),
    /// It cannot go on.
    Failed(String),
}
