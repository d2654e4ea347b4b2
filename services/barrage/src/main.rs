//! The one server binary: parse, build, run, drain, exit code.

mod admin;
mod autoscale;
mod beat;
mod breakers;
mod build_info;
mod cli;
mod cluster;
mod config;
mod data_dir;
mod doctor;
mod health;
mod ledgers;
mod page;
mod probe;
mod process;
mod process_metrics;
mod pseudonym;
mod readiness;
mod replay;
mod roles;
mod roster;
mod stop;
mod supervise;
mod telemetry;
mod token;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{BusCommand, Cli, Command, ConfigCommand};
use crate::roles::Roles;

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
    let file = cli.config.as_deref();
    let result = match cli.command {
        Command::Up(up) => up::main(config, &up, file),
        Command::Gateway(asked) => up::role(config, Roles::GATEWAY, &asked, file),
        Command::Uplink(asked) => up::role(config, Roles::UPLINK, &asked, file),
        Command::Entry(asked) => up::role(config, Roles::ENTRY, &asked, file),
        Command::Archiver(asked) => up::role(config, Roles::ARCHIVER, &asked, file),
        Command::Token(asked) => token::main(&config, &asked),
        Command::Probe(asked) => probe::main(&config, &asked),
        Command::Switch(asked) => admin::switch(&config, &asked),
        Command::Why(asked) => admin::why(&config, &asked),
        Command::Doctor => doctor::main(&config),
        Command::Bus(BusCommand::Ensure) => doctor::ensure(&config),
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
