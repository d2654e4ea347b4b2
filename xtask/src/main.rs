//! What a developer runs: `cargo xtask test` is what CI runs.

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
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test => test::all(),
        Command::Lint => test::lint(),
        Command::Web => test::web_build(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::note(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
