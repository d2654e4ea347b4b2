//! The server binary: parses the command line, loads the configuration and runs a command.

mod autoscale;
mod cli;
mod cluster;
mod commands;
mod config;
mod console;
mod data_dir;
mod health;
mod key_watch;
mod process;
mod ready;
mod replay;
mod roles;
mod start;
mod supervise;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{BusCommand, Cli, Command, ConfigCommand};
use crate::commands::{doctor, probe, switch, token, why};
use crate::roles::Roles;

/// Exit code for wrong usage or configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (config, mut problems) = config::load(&cli.overrides());
    if let Some(roles) = cli.command.roles() {
        problems.extend(config::part_problems(&config, roles));
    }
    let reports_problems = matches!(cli.command, Command::Doctor);
    if let (false, Err(error)) = (reports_problems, config::refuse(&problems)) {
        console::print_error(&error);
        return ExitCode::from(USAGE);
    }
    let result = match cli.command {
        Command::Up(arguments) => start::up(config, &arguments),
        Command::Gateway(role) => start::role(config, Roles::GATEWAY, &role, None),
        Command::Uplink(uplink) => start::role(config, Roles::UPLINK, &uplink.role, Some(&uplink.replay)),
        Command::Entry(role) => start::role(config, Roles::ENTRY, &role, None),
        Command::Archiver(role) => start::role(config, Roles::ARCHIVER, &role, None),
        Command::Token(arguments) => token::main(&config, &arguments),
        Command::Probe(arguments) => probe::main(&config, &arguments),
        Command::Switch(arguments) => switch::main(&config, &arguments),
        Command::Why(arguments) => why::main(&config, &arguments),
        Command::Doctor => doctor::main(&config, &problems),
        Command::Bus(BusCommand::Ensure) => doctor::ensure(&config),
        Command::Config(ConfigCommand::Check) => console::print_line("the configuration is valid"),
        Command::Config(ConfigCommand::Reference) => config::show_reference(),
        Command::Config(ConfigCommand::Show { defaults: true }) => config::show_defaults(),
        Command::Config(ConfigCommand::Show { defaults: false }) => config::show(&config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
