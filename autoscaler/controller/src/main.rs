//! The binary `barrage-autoscaler`: the controller and, unless built without the feature `lab`,
//! the tools with which its policy is chosen.

mod build_info;
mod cli;
mod process;

use std::io::Write;
use std::process::ExitCode;

use barrage_scaling::ConfigError;
use clap::Parser;

use crate::cli::{Cli, Command};

/// Exit code for wrong usage, and for a file that is not valid.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        #[cfg(feature = "lab")]
        Command::Lab(command) => command.run(),
        Command::Controller(args) => process::run(args),
        Command::Crd => process::print_crd(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A failed write to standard error has nowhere to be reported.
            drop(writeln!(std::io::stderr().lock(), "barrage-autoscaler: {error:#}"));
            let usage = error.downcast_ref::<ConfigError>().is_some();
            if usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}
