//! Flags of every command that sends load: the server, and the processes that send.

use std::net::SocketAddr;
use std::path::PathBuf;

use barrage_token::Role;
use clap::Args;

use crate::error::LoadtestError;
use crate::run::{PushService, RunOptions};

#[derive(Debug, Args)]
pub(crate) struct Against {
    /// Base URL of entry.
    #[arg(long, value_name = "URL", visible_alias = "entry", default_value = "http://127.0.0.1:8080")]
    pub(crate) target: String,
    /// PEM file with authorities to trust beside those of the system, for `https` and `wss` URLs.
    #[arg(long, value_name = "FILE", env = "BARRAGE_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Key file that signs tokens (`token.key` in the server's data directory). Without it, the
    /// server must issue guest tokens when the load contains posts.
    #[arg(long, value_name = "FILE")]
    token_key: Option<PathBuf>,
    /// Base URL of the admin listener. The load tester creates rooms there, with --token-key, and
    /// reads metrics.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// URL of the server's metrics, when they are not on the admin listener.
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// Serve metrics of the test itself on this address while it runs, for Prometheus.
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,
    /// Worker processes. When absent, as few as the descriptor limit allows.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) processes: Option<u32>,
    /// Threads of each process. When absent, the cores of the machine divided among the processes.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Seed of the load. Equal seeds give equal arrivals and rooms.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show no progress on the terminal.
    #[arg(long)]
    pub(crate) quiet: bool,
}

impl Against {
    pub(crate) fn options(self) -> RunOptions {
        RunOptions {
            target: self.target,
            ca_file: self.ca_file,
            token_key: self.token_key,
            admin: self.admin,
            metrics: self.metrics,
            metrics_listen: self.metrics_listen,
            remote_write: None,
            hdr_log: None,
            processes: self.processes,
            threads: self.threads,
            hook: None,
            seed: self.seed,
            senders: Role::Viewer,
            push: PushService::default(),
            quiet: self.quiet,
        }
    }
}

/// Runs a future to its end on a new runtime.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, LoadtestError>>) -> Result<T, LoadtestError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LoadtestError::cannot_run("the runtime cannot start", error))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, work)
}
