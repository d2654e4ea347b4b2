//! The one server binary: parse, build, run, drain, exit code.

mod admin;
mod audit;
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
mod keys;
mod ledgers;
mod page;
mod probe;
mod process;
mod process_metrics;
mod pseudonym;
mod readiness;
mod replay;
mod revocations;
mod roles;
mod roster;
mod stop;
mod supervise;
mod telemetry;
mod token;
mod up;
mod why;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{BusCommand, Cli, Command, ConfigCommand};
use crate::roles::Roles;

/// Wrong usage or configuration.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (config, mut problems) = config::load(&cli);
    if let Some(roles) = cli.command.roles() {
        problems.extend(config::part_problems(&config, roles));
    }
    let reports_problems = matches!(cli.command, Command::Doctor);
    if let (false, Err(error)) = (reports_problems, config::refuse(&problems)) {
        cli::complain(&error);
        return ExitCode::from(USAGE);
    }
    let result = match cli.command {
        Command::Up(up) => up::main(config, &up),
        Command::Gateway(asked) => up::role(config, Roles::GATEWAY, &asked, None),
        Command::Uplink(asked) => up::role(config, Roles::UPLINK, &asked.role, Some(&asked.replay)),
        Command::Entry(asked) => up::role(config, Roles::ENTRY, &asked, None),
        Command::Archiver(asked) => up::role(config, Roles::ARCHIVER, &asked, None),
        Command::Token(asked) => token::main(&config, &asked),
        Command::Probe(asked) => probe::main(&config, &asked),
        Command::Switch(asked) => admin::switch(&config, &asked),
        Command::Why(asked) => why::main(&config, &asked),
        Command::Doctor => doctor::main(&config, &problems),
        Command::Bus(BusCommand::Ensure) => doctor::ensure(&config),
        Command::Config(ConfigCommand::Check) => cli::say("the configuration is valid"),
        Command::Config(ConfigCommand::Show { defaults: true }) => config::show_defaults(),
        Command::Config(ConfigCommand::Show { defaults: false }) => config::show(&config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
