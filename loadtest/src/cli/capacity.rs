//! `capacity`: what one gateway carries.

use std::path::PathBuf;

use barrage_token::Role;
use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::against::{Against, block_on};
use super::{say, write};
use crate::capacity::config::CapacityConfig;
use crate::capacity::{machine, measure};
use crate::descriptors;
use crate::error::LoadtestError;
use crate::run::RunOptions;

/// Find what one gateway carries, and write the capacity file that the autoscaler reads.
///
/// Searches the knee of one gateway, the highest load that it carries with latency and loss
/// within limits, on four axes: viewers that only watch, joins a second, and deliveries and
/// bytes a second to the viewers of one room.
///
/// Each load is a run of its own: the viewers come, the load is held, and the run is judged. It
/// is doubled until it breaks (twice, so that a hiccup is no knee), then bisected. Every search
/// is repeated; the file holds the least knee, the table at the end shows the spread.
///
/// Let the gateway run alone, with the tester on other cores or on another machine, and its own
/// limits (gateway.viewers_max, gateway.joins_per_s, gateway.egress_bytes_per_s) out of the way:
/// where one of them ends a search, the output says so, and the knee is at least that. With
/// --token-key the senders are moderators, whose chat a room's display quota never holds. With
/// --admin or --metrics a refusal is told from too much to do.
///
///   barrage-loadtest capacity --target http://HOST:8080 --admin http://HOST:8081 \
///       --token-key data/token.key --out capacity.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Capacity {
    #[command(flatten)]
    against: Against,
    /// The capacity file to write, as JSON.
    #[arg(long, value_name = "FILE", default_value = "capacity.json")]
    out: PathBuf,
    /// Write every trial of every search, too.
    #[arg(long, value_name = "FILE")]
    details: Option<PathBuf>,
    /// Searches of each axis.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repeats: u32,
    /// Room that is watched.
    #[arg(long, default_value = "demo")]
    room: String,
    /// Seconds that a load is held.
    #[arg(long, default_value_t = 8, value_parser = RangedU64ValueParser::<u32>::new().range(1..=600))]
    hold_secs: u32,
    /// Viewers at most; what the descriptors of one process allow when absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    viewers_max: Option<u32>,
    /// Viewers of the room that deliveries and bytes are measured in.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    room_viewers: u32,
    /// How many a second come before a load begins.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    ramp_joins_per_s: u32,
    /// Longest delivery, from its intended send: the 99th percentile.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    p99_ms: u32,
    /// Longest join, from the intended arrival: the 99th percentile.
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    join_p99_ms: u32,
    /// Chat that viewers may miss, in percent. Of gifts they may miss none.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.1)]
    chat_loss_percent: f64,
    /// A trial says nothing when the tester's own timers are later than this.
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    tester_lag_ms: u32,
    /// Trials of one search at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    trials_max: u32,
    /// The gateway's build, for the file; the load tester's version when absent.
    #[arg(long)]
    build: Option<String>,
    /// The gateway's machine, for the file; the load tester's own when absent.
    #[arg(long)]
    machine: Option<String>,
}

impl Capacity {
    pub(crate) fn execute(self) -> Result<u8, LoadtestError> {
        if !(0.0..=100.0).contains(&self.chat_loss_percent) {
            return Err(LoadtestError::Usage("--chat-loss-percent: 0 to 100".into()));
        }
        let fit = descriptors::raise()?;
        let config = CapacityConfig {
            viewers_max: self.viewers_max.unwrap_or(fit),
            room: self.room,
            repeats: self.repeats,
            hold_secs: f64::from(self.hold_secs),
            room_viewers: self.room_viewers,
            ramp_joins_per_s: f64::from(self.ramp_joins_per_s),
            p99_ms: self.p99_ms,
            join_p99_ms: self.join_p99_ms,
            chat_loss_percent: self.chat_loss_percent,
            tester_lag_p99_ms_max: f64::from(self.tester_lag_ms),
            trials_max: self.trials_max,
            ..CapacityConfig::default()
        };
        let build = self.build.unwrap_or_else(|| env!("CARGO_PKG_VERSION").into());
        let machine = self.machine.unwrap_or_else(machine::describe);
        let quiet = self.against.quiet;
        let options = RunOptions { senders: Role::Moderator, ..self.against.options() };
        let capacity = block_on(async {
            tokio::select! {
                measured = measure(&options, &config, quiet, build, machine) => measured,
                // A knee needs all of its trials: half a search is no measurement.
                _ = tokio::signal::ctrl_c() => Err(LoadtestError::Interrupted),
            }
        })?;
        write(&self.out, &capacity.file())?;
        if let Some(details) = self.details {
            write(&details, &capacity.details())?;
        }
        say(&capacity.table())
    }
}
