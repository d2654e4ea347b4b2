//! What a developer runs: `cargo xtask test` is what CI runs.

mod bench;
mod dependencies;
mod fault;
mod r#gen;
mod install;
mod lint_paths;
mod run;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "What a developer of Barrage runs")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything that CI runs: lints, all tests, the page's build, the browser.
    Test,
    /// Format, clippy and the page's types.
    Lint,
    /// Rebuild the embedded page from its sources.
    Web,
    /// Generate files that tests and benchmarks read.
    #[command(subcommand)]
    Gen(Gen),
    /// Kill and stop real processes while gifts are sent: none may be lost or doubled.
    Fault {
        /// How long gifts and chat are sent.
        #[arg(long, default_value_t = 3.0)]
        minutes: f64,
        /// Repeats a run's choice of victims; the run prints its own.
        #[arg(long)]
        seed: Option<u32>,
        /// Viewers in all, a hundred to a room.
        #[arg(long, default_value_t = 2_000)]
        viewers: u32,
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Measure, in release builds, on real servers.
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Debug, Subcommand)]
enum Gen {
    /// Danmaku files with the rates, repeats and oddities of real ones.
    Recordings {
        /// Folder that the files are written to.
        dir: std::path::PathBuf,
        /// The same seed gives the same files.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Fan-out: deliveries per CPU-second beside a bare loop of sends in the same run.
    Fanout {
        /// Length of each measurement: short ones by turns see the same machine.
        #[arg(long, default_value_t = 5)]
        secs: u32,
        /// Runs of gateway and limit by turns; medians are printed.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// Compare with this `barrage` binary, by turns, instead of with the limit.
        #[arg(long, value_name = "BINARY")]
        against: Option<String>,
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Handshakes with a token per CPU-second.
    Handshake {
        /// Joins of each round.
        #[arg(long, default_value_t = 10_000)]
        viewers: u32,
        /// The median of so many is printed.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Compare with this `barrage` binary, by turns, instead of with the limit.
        #[arg(long, value_name = "BINARY")]
        against: Option<String>,
        /// One JSON object instead of a sentence.
        #[arg(long)]
        json: bool,
    },
    /// Memory: what an idle viewer costs.
    Memory {
        /// Idle viewers.
        #[arg(long, default_value_t = 15_000)]
        viewers: u32,
        /// Compare with this `barrage` binary, by turns.
        #[arg(long, value_name = "BINARY")]
        against: Option<String>,
        /// Runs of each binary by turns; medians are printed.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// One JSON object instead of a sentence.
        #[arg(long)]
        json: bool,
    },
    /// Bytes on the wire of a recording's messages in a hot room, as JSON and deflated.
    Wire {
        /// Danmaku as Bilibili's XML; ours is played if none is named.
        #[arg(long)]
        recording: Option<std::path::PathBuf>,
        /// Times its own pace.
        #[arg(long, default_value_t = 100.0)]
        speed: f64,
        /// How long bytes are counted.
        #[arg(long, default_value_t = 10)]
        secs: u32,
        /// One JSON object instead of a sentence.
        #[arg(long)]
        json: bool,
    },
    /// Limits: decisions a second, leases in Redis, moderation.
    Flow {
        /// Length of each case; the published figures are of 60.
        #[arg(long, default_value_t = 10)]
        secs: u32,
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Slow viewers: what one in a hundred that stand still cost the others.
    Slow {
        /// Viewers in all.
        #[arg(long, default_value_t = 5_000)]
        viewers: u32,
        /// Length of each run, after a ramp of ten seconds.
        #[arg(long, default_value_t = 30)]
        secs: u32,
        /// Runs without and with slow viewers, by turns; medians are compared.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// One JSON object instead of a sentence.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test => test::all(),
        Command::Lint => test::lint(),
        Command::Web => test::web_build(),
        Command::Gen(Gen::Recordings { dir, seed }) => r#gen::recordings(&dir, seed),
        Command::Fault { minutes, seed, viewers, json } => fault::main(minutes, seed, viewers, json),
        Command::Bench(Bench::Fanout { secs, rounds, against, json }) => match against {
            Some(other) => bench::fanout::against(&other, secs, rounds, json),
            None => bench::fanout::main(secs, rounds, json),
        },
        Command::Bench(Bench::Handshake { viewers, rounds, against, json }) => match against {
            Some(other) => bench::handshake::against(&other, viewers, rounds, json),
            None => bench::handshake::main(viewers, rounds, json),
        },
        Command::Bench(Bench::Memory { viewers, against, rounds, json }) => match against {
            Some(other) => bench::memory::against(&other, viewers, rounds, json),
            None => bench::memory::main(viewers, json),
        },
        Command::Bench(Bench::Wire { recording, speed, secs, json }) => {
            bench::wire::main(recording, speed, secs, json)
        }
        Command::Bench(Bench::Flow { secs, json }) => bench::flow::main(secs, json),
        Command::Bench(Bench::Slow { viewers, secs, rounds, json }) => {
            bench::slow::main(viewers, secs, rounds, json)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::note(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
