//! The one server binary: parse, build, run, drain, exit code.

mod admin;
mod breakers;
mod cli;
mod config;
mod data_dir;
mod page;
mod probe;
mod replay;
mod telemetry;
mod token;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, ConfigCommand};

/// Wrong usage or configuration.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match config::load(&cli) {
        Ok(config) => config,
        Err(error) => {
            cli::complain(&error);
            return ExitCode::from(USAGE);
        }
    };
    let result = match cli.command {
        Command::Up(up) => up::main(config, &up),
        Command::Token(asked) => token::main(&config, &asked),
        Command::Probe(asked) => probe::main(&config, &asked),
        Command::Switch(asked) => admin::switch(&config, &asked),
        Command::Why(asked) => admin::why(&config, &asked),
        Command::Config(ConfigCommand::Check) => cli::say("the configuration is valid"),
        Command::Config(ConfigCommand::Show) => config::show(&config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
