//! The controller, and the tool for those who set its numbers: simulate, tune, replay,
//! explain, compare.

mod cli;
mod controlling;
mod history;
mod simulation;
mod tuning;

use std::process::ExitCode;

use barrage_scaling::ConfigError;
use clap::Parser;

use crate::cli::{Cli, Command};

/// Wrong usage, or a file that cannot be.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Simulate(asked) => simulation::main(&asked),
        Command::Tune(asked) => tuning::main(&asked),
        Command::Replay(asked) => history::replay(&asked),
        Command::Explain(asked) => history::explain(&asked),
        Command::Compare(asked) => history::compare(&asked),
        Command::Policy(asked) => cli::policy(&asked),
        Command::Controller(asked) => controlling::main(asked),
        Command::Crd => controlling::crd(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&error);
            let usage = error.downcast_ref::<ConfigError>().is_some();
            if usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}
