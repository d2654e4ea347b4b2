//! What a developer runs: `cargo xtask test` is what CI runs.

mod bench;
mod install;
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
    /// Measure, in release builds, on real servers.
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Limits: decisions a second, leases in Redis, moderation.
    Flow {
        /// Length of each case; the published figures are of 60.
        #[arg(long, default_value_t = 10)]
        secs: u32,
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test => test::all(),
        Command::Lint => test::lint(),
        Command::Web => test::web_build(),
        Command::Bench(Bench::Flow { secs, json }) => bench::flow(secs, json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::note(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
