//! Command line of the server: subcommands and their arguments.

use std::net::SocketAddr;
use std::path::PathBuf;

use barrage_protocol::{RoomId, UserId};
use barrage_token::Role;
use clap::{Args, Parser, Subcommand};

use crate::config::{Overrides, parse_address};
use crate::ready::ReadyFd;
use crate::roles::Roles;

/// Live-stream chat and danmaku.
///
/// `barrage up` starts everything in one process and needs no other server.
#[derive(Debug, Parser)]
#[command(version, about, long_about)]
pub(crate) struct Cli {
    /// Configuration file (TOML). Without this flag, `./barrage.toml` is read if it exists. Flags
    /// override `BARRAGE_*` environment variables (`BARRAGE_GATEWAY__WINDOW_MS=100`), variables
    /// override the file, and the file overrides defaults.
    #[arg(long, global = true, env = "BARRAGE_CONFIG", hide_env = true)]
    pub(crate) config: Option<PathBuf>,
    /// Data directory: keys, message log and store.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Values of flags that override the configuration.
    pub(crate) fn overrides(&self) -> Overrides {
        let listen = self.command.listen();
        Overrides {
            file: self.config.clone(),
            data_dir: self.data_dir.clone(),
            listen: listen.map(|arguments| arguments.listen.clone()).unwrap_or_default(),
            admin_listen: listen.and_then(|arguments| arguments.admin_listen),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start entry, gateway, uplink, archiver and store in this process.
    ///
    /// The command prints the address of the page. `--demo` plays a small recording into the room
    /// `demo`, so that the page shows messages at once.
    Up(UpArguments),
    /// Run a gateway, which holds viewers' connections. Needs [nats].
    Gateway(RoleArguments),
    /// Run an uplink, which accepts messages and serves the admin API. Needs [nats].
    Uplink(UplinkArguments),
    /// Run an entry scheduler, which names endpoints to clients and serves the page. Needs [nats].
    Entry(RoleArguments),
    /// Run an archiver, which copies messages from the bus to the store. Needs [nats].
    Archiver(RoleArguments),
    /// Mint a token and print the token alone, or explain one (`barrage token check`).
    ///
    /// The key is the configured one, or the one that `up` made in the data directory.
    Token(TokenArguments),
    /// Send messages through the public path and print when each is shown.
    ///
    /// Exits with 1 when a message is lost, for a cron job or a health dashboard. Without
    /// `--token-file`, the command mints a token with the key of the data directory.
    Probe(ProbeArguments),
    /// List or set the platform's switches. A change is in force on every instance within a second.
    Switch(SwitchArguments),
    /// Explain what happened to a message: every check, and the batch on every gateway.
    ///
    /// Asks all uplinks and gateways of the fleet. ID is the id that the sender gave the message.
    Why(WhyArguments),
    /// Check every dependency and suggest fixes.
    ///
    /// Examines the configuration, keys, certificates, word lists, clocks, servers and the running
    /// processes. Changes nothing. Exits with 1 when a check fails.
    Doctor,
    /// Declare the streams and buckets of the bus.
    #[command(subcommand)]
    Bus(BusCommand),
    /// Check the configuration, or print it.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Addresses of a server process.
#[derive(Debug, Args)]
pub(crate) struct ListenArguments {
    /// Public address, such as 127.0.0.1:8080 or localhost:8080; may be given several times. Port 0
    /// chooses a free port.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub(crate) listen: Vec<SocketAddr>,
    /// Address of the admin API, metrics and health.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Write one JSON line with the addresses to this file descriptor once the process listens, for
    /// the program that started it. With 1, standard output carries that line alone.
    #[arg(long, value_name = "N")]
    ready_fd: Option<u32>,
}

impl ListenArguments {
    /// Descriptor for the ready line.
    pub(crate) fn ready_fd(&self) -> Option<ReadyFd> {
        self.ready_fd.map(ReadyFd)
    }
}

/// Recording that the process plays.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// Play the included recording into the room `demo`, in a loop.
    #[arg(long, conflicts_with = "replay")]
    pub(crate) demo: bool,
    /// Play a recorded danmaku file (Bilibili XML) into a room at its own pace.
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Room to replay into; created if it does not exist.
    #[arg(long, value_name = "ROOM", default_value = "demo", value_parser = parse::<RoomId>)]
    pub(crate) room: RoomId,
    /// Replay at this multiple of the recorded pace (0.01 to 1000).
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Start the replay again when it ends.
    #[arg(long = "loop")]
    pub(crate) repeats: bool,
}

impl ReplayArguments {
    /// Returns the arguments as a command line for another process.
    pub(crate) fn command_line(&self) -> anyhow::Result<Vec<String>> {
        if self.demo {
            return Ok(vec!["--demo".into()]);
        }
        let Some(file) = &self.replay else { return Ok(Vec::new()) };
        let file = file.to_string_lossy().into_owned();
        let (room, speed) = (self.room.to_string(), self.speed.to_string());
        let mut words = vec!["--replay".into(), file, "--room".into(), room, "--speed".into(), speed];
        words.extend(self.repeats.then(|| "--loop".into()));
        Ok(words)
    }
}

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
    #[command(flatten)]
    pub(crate) replay: ReplayArguments,
    /// Start a fleet of processes on this machine instead of one process, with nats-server and
    /// redis-server from PATH unless [nats] and [redis] name other servers.
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Number of gateways, 1 to 32; implies `--cluster`. Default 3.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) gateways: Option<u16>,
    /// Number of uplinks, 1 to 32; implies `--cluster`. Default 2.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) uplinks: Option<u16>,
    /// Start, drain and stop gateways as the number of viewers changes, from the given number of
    /// gateways on; implies `--cluster`.
    #[arg(long)]
    pub(crate) autoscale: bool,
}

impl UpArguments {
    /// Whether a fleet is started instead of a single process.
    pub(crate) fn is_fleet(&self) -> bool {
        self.cluster || self.autoscale || self.gateways.is_some() || self.uplinks.is_some()
    }
}

#[derive(Debug, Args)]
pub(crate) struct RoleArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
    /// Stop at the end of standard input, that is, together with the process that holds its other
    /// side.
    #[arg(long, hide = true)]
    pub(crate) with_stdin: bool,
}

/// Arguments of an uplink, the one role that plays recordings.
#[derive(Debug, Args)]
pub(crate) struct UplinkArguments {
    #[command(flatten)]
    pub(crate) role: RoleArguments,
    #[command(flatten)]
    pub(crate) replay: ReplayArguments,
}

impl Command {
    /// Roles whose files and addresses are checked before anything starts.
    pub(crate) fn roles(&self) -> Option<Roles> {
        match self {
            Command::Up(_) | Command::Doctor | Command::Config(ConfigCommand::Check) => Some(Roles::ALL),
            Command::Gateway(_) => Some(Roles::GATEWAY),
            Command::Uplink(_) => Some(Roles::UPLINK),
            Command::Entry(_) => Some(Roles::ENTRY),
            Command::Archiver(_) => Some(Roles::ARCHIVER),
            _ => None,
        }
    }

    /// Addresses of a command that starts a server.
    pub(crate) fn listen(&self) -> Option<&ListenArguments> {
        match self {
            Command::Up(up) => Some(&up.listen),
            Command::Gateway(role) | Command::Entry(role) | Command::Archiver(role) => Some(&role.listen),
            Command::Uplink(uplink) => Some(&uplink.role.listen),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct TokenArguments {
    #[command(subcommand)]
    pub(crate) command: Option<TokenCommand>,
    #[command(flatten)]
    pub(crate) mint: Option<MintArguments>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Explain a token: key, claims, expiry, and the reason why a server refuses it.
    ///
    /// Exits with 0 when a server with this configuration accepts the token, else with 1.
    Check {
        /// The token. Read from standard input when absent, which keeps the token out of the
        /// shell's history.
        token: Option<String>,
        /// Also check that the token is valid for this room.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: Option<RoomId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct MintArguments {
    /// User id (`sub`).
    #[arg(long, value_parser = parse::<UserId>)]
    pub(crate) user: UserId,
    /// Display name; the user id when absent.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Room that the token is valid for, or `*` for all rooms; may be given several times.
    #[arg(long = "room", required = true)]
    pub(crate) rooms: Vec<String>,
    /// Role: viewer, moderator, host or admin.
    #[arg(long, default_value = "viewer")]
    pub(crate) role: Role,
    /// Lifetime in seconds.
    #[arg(long, default_value_t = 3600)]
    pub(crate) ttl_secs: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArguments {
    /// Base URL of entry; the configured public address when absent.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Room to send to. Viewers of the room see the messages, so use a room for probes alone.
    #[arg(long, default_value = "demo", value_parser = parse::<RoomId>)]
    pub(crate) room: RoomId,
    /// File that holds a token for the room.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Number of messages.
    #[arg(long, default_value_t = 5)]
    pub(crate) count: u32,
    /// Time between two messages in milliseconds.
    #[arg(long, default_value_t = 1000)]
    pub(crate) interval_ms: u64,
    /// Longest time from send to display in milliseconds; a later message counts as lost.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) deadline_ms: u64,
}

/// Address of the admin API, and the token for it.
#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    /// Base URL of the admin API; the configured address when absent.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) admin: Option<String>,
    /// File that holds a token with the role admin. Without this flag, the command mints a token
    /// with the key of the data directory.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SwitchArguments {
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    #[command(subcommand)]
    pub(crate) command: SwitchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SwitchCommand {
    /// Print every switch with its value and its effect.
    List,
    /// Set a switch: `barrage switch set no-likes true`, `barrage switch set redis open`.
    Set {
        /// Name of the switch.
        name: String,
        /// New value.
        value: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// Id of the message.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BusCommand {
    /// Declare the streams and buckets on NATS, and print their state.
    ///
    /// Every process declares them at start. Run this command with another account where
    /// `nats.declare` is off because the account of the processes lacks the permission.
    Ensure,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and print every mistake.
    ///
    /// Reads keys, certificates, word lists and other files as `up` does before it listens. Exits
    /// with 64 when there is a mistake. Connects to no server; `barrage doctor` does.
    Check,
    /// Print the configuration in force as TOML. Passwords in URLs appear as `***`.
    Show {
        /// Print every key with its default and its meaning instead, including optional tables.
        #[arg(long)]
        defaults: bool,
    },
    /// Print a table of every key as Markdown: type, default, range and meaning.
    Reference,
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| format!("{text} is not a number"))?;
    if (0.01..=1000.0).contains(&speed) { Ok(speed) } else { Err("must be 0.01 to 1000".into()) }
}
