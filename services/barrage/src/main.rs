//! The server binary: parses the command line, loads the configuration and runs a command.

mod admin_error;
mod api;
mod autoscale;
mod cli;
mod cluster;
mod commands;
mod config;
mod console;
mod data_dir;
mod exit;
mod health;
mod key_watch;
mod operator;
mod process;
mod ready;
mod replay;
mod roles;
mod start;
mod supervise;
mod telemetry;
mod web_files;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::admin::{MessageCommand, NounArguments};
use crate::cli::{BusCommand, Cli, Command, ConfigCommand, DoctorArguments, GatewayArguments, WhyArguments};
use crate::commands::{admin, backup, doctor, drain, probe, shell, token, why};
use crate::exit::Exit;
use crate::roles::Roles;

/// Allocator of the server. With it, a post takes an eighth to a quarter less processor time than with the one
/// of glibc: docs/adr/0121-allocator.md has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: this process is to have little memory and no thread.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == barrage_media::CHILD_ARGUMENT) {
        return barrage_media::check_child();
    }
    barrage_tls::ClientTls::make_ring_default();
    let cli = Cli::parse();
    let (config, mut problems) = config::load(&cli.overrides());
    if let Some(roles) = cli.command.roles() {
        problems.extend(config::part_problems(&config, roles));
    }
    if let (true, Err(error)) = (cli.command.needs_configuration(), config::refuse(&problems)) {
        console::print_error(&error);
        return Exit::Configuration.into();
    }
    let result = match cli.command {
        Command::Up(arguments) => start::up(config, &arguments),
        Command::Gateway(GatewayArguments { command: None, role, .. }) => {
            start::role(config, Roles::GATEWAY, &role, None)
        }
        Command::Gateway(GatewayArguments { command: Some(command), admin, result, .. }) => {
            admin::main(&config, &NounArguments { admin, result, command })
        }
        Command::Message(NounArguments { command: MessageCommand::Why { id }, admin, result }) => {
            why::main(&config, &WhyArguments { id, admin, output: result.output })
        }
        Command::Room(noun) => admin::main(&config, &noun),
        Command::User(noun) => admin::main(&config, &noun),
        Command::Review(noun) => admin::main(&config, &noun),
        Command::Words(noun) => admin::main(&config, &noun),
        Command::Emote(noun) => admin::main(&config, &noun),
        Command::Message(noun) => admin::main(&config, &noun),
        Command::Trace(noun) => admin::main(&config, &noun),
        Command::Poll(noun) => admin::main(&config, &noun),
        Command::Prewarm(noun) => admin::main(&config, &noun),
        Command::Audit(noun) => admin::main(&config, &noun),
        Command::Fleet(noun) => admin::main(&config, &noun),
        Command::Recorder(noun) => admin::main(&config, &noun),
        Command::Uplink(uplink) => start::role(config, Roles::UPLINK, &uplink.role, Some(&uplink.replay)),
        Command::Entry(role) => start::role(config, Roles::ENTRY, &role, None),
        Command::Archiver(role) => start::role(config, Roles::ARCHIVER, &role, None),
        Command::Irc(role) => start::irc(config, &role),
        Command::Webhooks(role) => start::role(config, Roles::WEBHOOKS, &role, None),
        Command::Media(role) => start::role(config, Roles::MEDIA, &role, None),
        Command::Courier(role) => start::role(config, Roles::COURIER, &role, None),
        Command::Push(role) => start::role(config, Roles::PUSH, &role, None),
        Command::Inbox(noun) => admin::main(&config, &noun),
        Command::Webhook(noun) => admin::main(&config, &noun),
        Command::Token(arguments) => token::main(&config, &arguments),
        Command::Probe(arguments) if arguments.serve => start::probe(config, &arguments.role),
        Command::Probe(arguments) => probe::main(&config, &arguments),
        Command::Switch(noun) => admin::main(&config, &noun),
        Command::Drain(arguments) => drain::main(&config, &arguments),
        Command::Why(arguments) => why::main(&config, &arguments),
        Command::Doctor(DoctorArguments { values: Some(values) }) => doctor::values(&values),
        Command::Doctor(DoctorArguments { values: None }) => doctor::main(&config, &problems),
        Command::Backup { to } => backup::backup(&config, &to),
        Command::Restore { from } => backup::restore(&config, &from),
        Command::Bus(BusCommand::Ensure) => doctor::ensure(&config),
        Command::Bus(BusCommand::Partitions(noun)) => admin::main(&config, &noun),
        Command::Config(ConfigCommand::Check) => console::print_line("the configuration is valid"),
        Command::Config(ConfigCommand::Reference) => config::show_reference(),
        Command::Config(ConfigCommand::Show { defaults: true }) => config::show_defaults(),
        Command::Config(ConfigCommand::Show { defaults: false }) => config::show(&config),
        Command::Openapi { public } => shell::openapi(public),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { dir } => shell::man(&dir),
    };
    match result {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            console::print_error(&error);
            Exit::of(&error).into()
        }
    }
}
