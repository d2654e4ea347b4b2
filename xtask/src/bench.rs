//! Benches: each runs optimised builds on real servers and prints its figures.

mod bus;
mod fanout;
mod figures;
mod flow;
mod handshake;
mod memory;
mod site;
mod slow;
mod wire;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use site::Build;

/// Arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Cargo profile of the measured programs. A binary given as --against must have the same.
    #[arg(long, global = true, default_value = "dist")]
    profile: String,
    /// Prints one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    measured: Measured,
}

#[derive(Debug, Subcommand)]
enum Measured {
    /// Fan-out: deliveries per CPU-second beside a bare loop of sends in the same run.
    Fanout {
        /// Seconds of each measurement. Short ones by turns meet the same load from the rest of the machine.
        #[arg(long, default_value_t = 5)]
        secs: u32,
        /// Runs of gateway and limit by turns; medians are printed.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        #[command(flatten)]
        against: Against,
    },
    /// Handshakes: joins with a token per CPU-second, beside a bare loop of accepts.
    Handshake {
        /// Joins of each round.
        #[arg(long, default_value_t = 10_000)]
        viewers: u32,
        /// Rounds; medians are printed.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        #[command(flatten)]
        against: Against,
    },
    /// Memory: resident bytes of the gateway per idle viewer.
    Memory {
        /// Idle viewers whose memory is measured.
        #[arg(long, default_value_t = 15_000)]
        viewers: u32,
        /// Runs of each binary by turns, with --against; medians are printed.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        #[command(flatten)]
        against: Against,
    },
    /// Bytes on the wire of a recording's messages in a hot room, as JSON and deflated.
    Wire {
        /// Danmaku file in Bilibili's XML; the demo's by default.
        #[arg(long)]
        recording: Option<PathBuf>,
        /// Replay speed as a multiple of the recording's own.
        #[arg(long, default_value_t = 100.0)]
        speed: f64,
        /// Seconds in which bytes are counted.
        #[arg(long, default_value_t = 10)]
        secs: u32,
    },
    /// Limits: decisions per second, leases in Redis, moderation.
    Flow {
        /// Seconds of each case; the published figures are of 60.
        #[arg(long, default_value_t = 10)]
        secs: u32,
    },
    /// Slow viewers: how much one stalled viewer in a hundred delays the others.
    Slow {
        /// Viewers in all, slow ones included.
        #[arg(long, default_value_t = 5_000)]
        viewers: u32,
        /// Seconds of each run, after a ramp of ten seconds.
        #[arg(long, default_value_t = 30)]
        secs: u32,
        /// Runs without and with slow viewers, by turns; medians are compared.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// Bus: publishes, deliveries and repairs on one NATS server.
    Bus {
        /// Partitions of the log.
        #[arg(long, default_value_t = 1)]
        partitions: u16,
    },
}

#[derive(Debug, Args)]
struct Against {
    /// Measures another `barrage` binary by turns with this checkout's.
    #[arg(long, value_name = "BINARY")]
    against: Option<String>,
}

/// Builds the programs and runs one bench.
pub(crate) fn main(bench: Bench) -> anyhow::Result<()> {
    let build = &Build::new(&bench.profile)?;
    let json = bench.json;
    match bench.measured {
        Measured::Fanout { secs, rounds, against } => match against.against {
            Some(other) => fanout::against(build, &other, secs, rounds, json),
            None => fanout::with_limit(build, secs, rounds, json),
        },
        Measured::Handshake { viewers, rounds, against } => match against.against {
            Some(other) => handshake::against(build, &other, viewers, rounds, json),
            None => handshake::with_limit(build, viewers, rounds, json),
        },
        Measured::Memory { viewers, rounds, against } => match against.against {
            Some(other) => memory::against(build, &other, viewers, rounds, json),
            None => memory::alone(build, viewers, json),
        },
        Measured::Wire { recording, speed, secs } => wire::main(build, recording, speed, secs, json),
        Measured::Flow { secs } => flow::main(build, secs, json),
        Measured::Slow { viewers, secs, rounds } => slow::main(build, viewers, secs, rounds, json),
        Measured::Bus { partitions } => bus::main(build, partitions, json),
    }
}
