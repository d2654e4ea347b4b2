//! `capacity`: measures the capacity of one gateway.

use std::path::PathBuf;

use barrage_token::Role;
use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::against::{Against, block_on};
use super::io::{say, write};
use crate::capacity::config::CapacityConfig;
use crate::capacity::{machine, measure};
use crate::descriptors;
use crate::error::LoadtestError;
use crate::run::RunOptions;

/// Measure the capacity of one gateway, and write the capacity file that the autoscaler reads.
///
/// Searches the knee of one gateway, the highest load that it carries with latency and loss
/// within limits, on four axes: idle viewers, joins a second, and deliveries and bytes a second
/// to the viewers of one room.
///
/// Each load is a run of its own: viewers join, the load is held, and the run is judged. The
/// load doubles until it breaks (twice, so that a hiccup is no knee), then the search bisects.
/// Every search is repeated; the file holds the lowest knee, and the table at the end shows the
/// spread.
///
/// Let the gateway run alone, with the load tester on other cores or on another machine, and
/// raise its own limits (gateway.viewers_max, gateway.joins_per_s, gateway.egress_bytes_per_s):
/// where one of them ends a search, the output says so, and the knee is a lower bound. With
/// --token-key the senders are moderators, whose chat a room's display quota never holds. With
/// --admin or --metrics the load tester distinguishes a refusal from overload.
///
///   barrage-loadtest capacity --target http://HOST:8080 --admin http://HOST:8081 \
///       --token-key data/token.key --out capacity.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Capacity {
    #[command(flatten)]
    against: Against,
    /// Capacity file to write, as JSON.
    #[arg(long, value_name = "FILE", default_value = "capacity.json")]
    out: PathBuf,
    /// Also write every trial of every search.
    #[arg(long, value_name = "FILE")]
    details: Option<PathBuf>,
    /// Searches of each axis.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repeats: u32,
    /// Room that the viewers watch.
    #[arg(long, default_value = "demo")]
    room: String,
    /// Time for which a load is held, in seconds.
    #[arg(long, default_value_t = 8, value_parser = RangedU64ValueParser::<u32>::new().range(1..=600))]
    hold_secs: u32,
    /// Most viewers. When absent, as many as the descriptors of one process allow.
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    viewers_max: Option<u32>,
    /// Viewers of the room in the searches of deliveries and bytes.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    room_viewers: u32,
    /// Joins per second before a load begins.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    ramp_joins_per_s: u32,
    /// Greatest 99th percentile of the delivery latency, from the intended send, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    p99_ms: u32,
    /// Greatest 99th percentile of the join latency, from the intended join, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    join_p99_ms: u32,
    /// Chat that viewers may miss, in percent. They may miss no gift.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.1)]
    chat_loss_percent: f64,
    /// Greatest delay of the load tester's own timers, in milliseconds; above it a trial is
    /// invalid.
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    tester_lag_ms: u32,
    /// Most trials of one search.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    trials_max: u32,
    /// Build of the gateway, for the file. When absent, the version of the load tester.
    #[arg(long)]
    build: Option<String>,
    /// Machine of the gateway, for the file. When absent, the machine of the load tester.
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
                // A knee needs all of its trials, so an interrupted search gives none.
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
