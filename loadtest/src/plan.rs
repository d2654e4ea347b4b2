//! Messages between the conductor and its workers: one JSON object a line, over pipes.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::measure::interval::Interval;
use crate::measure::ledger::{Balance, Ledger};
use crate::scenario::Scenario;

/// Time after an interruption in which messages may still arrive. It is shorter than a scenario's
/// settling time, because a user waits for the end.
pub const INTERRUPTED_SETTLE_SECS: f64 = 1.0;

/// Task of a worker process, sent to it before the run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Scenario with the changes of the command line.
    pub scenario: Scenario,
    /// Host and port of entry, for the `Host` header.
    pub host: String,
    /// Socket address of entry, resolved by the conductor.
    pub address: SocketAddr,
    /// Whether entry is reached over TLS.
    pub is_encrypted: bool,
    /// File with authorities to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Number of this worker process, from 0.
    pub worker: u32,
    /// Number of worker processes of the run.
    pub workers: u32,
    /// Number of threads in each worker process.
    pub threads: u32,
    /// Seed of all randomness that decides the load.
    pub seed: u64,
    /// Time at which the first phase begins.
    pub start: Moment,
    /// Tokens of the senders, made before the run starts.
    pub tokens: Vec<String>,
    /// Whether faults reset connections; false when a hook of the user causes the fault.
    pub cut: bool,
}

/// Part of the load of one thread: viewer `n` belongs to shard `n % shards`.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// Number of this shard, from 0 to `shards` - 1.
    pub shard: u32,
    /// Number of shards: threads of all workers.
    pub shards: u32,
}

/// A message from the conductor to a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToWorker {
    /// The first message, which has the plan.
    Plan(Box<Plan>),
    /// The user interrupted the run: posting stops, messages have [`INTERRUPTED_SETTLE_SECS`] to
    /// arrive, then the viewers leave.
    Stop,
    /// Sent messages known to all workers together; the worker answers with its balance.
    Ledger(Ledger),
}

/// A message from a worker to the conductor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromWorker {
    /// One second of the run has passed on all threads of the worker.
    Tick {
        /// Number of the second since the start, from 0.
        second: u32,
        /// Counts and latencies of the second, summed over the worker's threads.
        interval: Box<Interval>,
        /// CPU time of the worker since the last second.
        cpu_secs: f64,
    },
    /// The run is over; sent messages known to this worker.
    Ledger(Ledger),
    /// The last message, which has the totals.
    Balance(Balance),
    /// The worker cannot continue; the text is the reason.
    Failed(String),
}
