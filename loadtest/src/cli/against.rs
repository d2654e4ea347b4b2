//! Flags that every command has that makes a crowd: against which server, and from where.

use std::path::PathBuf;

use barrage_token::Role;
use clap::Args;

use crate::error::LoadtestError;
use crate::run::RunOptions;

#[derive(Debug, Args)]
pub(crate) struct Against {
    /// Base URL of entry.
    #[arg(long, value_name = "URL", visible_alias = "entry", default_value = "http://127.0.0.1:8080")]
    pub(crate) target: String,
    /// Key file that signs tokens (`token.key` in the server's data directory). Without it,
    /// the server must give guest tokens where something is posted.
    #[arg(long, value_name = "FILE")]
    token_key: Option<PathBuf>,
    /// Base URL of the admin listener: rooms are made there, with --token-key, and its
    /// metrics are read.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// URL of the server's metrics, when it is not the admin listener's.
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// Worker processes; as few as the descriptor limit allows when absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) processes: Option<u32>,
    /// Threads of each process; when absent, the machine's cores shared among them.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// The same seed makes the same arrivals and rooms.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show no progress.
    #[arg(long)]
    pub(crate) quiet: bool,
}

impl Against {
    pub(crate) fn options(self) -> RunOptions {
        RunOptions {
            target: self.target,
            token_key: self.token_key,
            admin: self.admin,
            metrics: self.metrics,
            processes: self.processes,
            threads: self.threads,
            hook: None,
            seed: self.seed,
            senders: Role::Viewer,
            quiet: self.quiet,
        }
    }
}

/// Runs something to its end on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, LoadtestError>>) -> Result<T, LoadtestError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LoadtestError::cannot_run("no runtime", error))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, work)
}
