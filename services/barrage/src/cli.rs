//! The command line.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use barrage_protocol::{RoomId, UserId};
use barrage_token::Role;
use clap::{Args, Parser, Subcommand};

use crate::config::parse_address;
use crate::roles::Roles;

/// Live-stream chat and danmaku.
///
/// `barrage up` starts everything in one process and needs no other server.
#[derive(Debug, Parser)]
#[command(version, about, long_about)]
pub(crate) struct Cli {
    /// Configuration file (TOML); `./barrage.toml` when it is there and no other is named. Flags win over `BARRAGE_*` environment variables
    /// (`BARRAGE_GATEWAY__WINDOW_MS=100`), these over the file, the file over defaults.
    #[arg(long, global = true, env = "BARRAGE_CONFIG", hide_env = true)]
    pub(crate) config: Option<PathBuf>,
    /// Where data is kept.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start entry, gateway, uplink, archiver and store in this process.
    ///
    /// Then open the page that it prints. `--demo` plays a small recording into the
    /// room `demo`, so that there is something to see at once.
    Up(Up),
    /// Hold viewers' connections, as one of several processes; needs [nats].
    Gateway(RoleArguments),
    /// Take messages and serve the admin API, as one of several processes; needs [nats].
    Uplink(UplinkArguments),
    /// Tell clients where to go and serve the page, as one of several processes; needs
    /// [nats].
    Entry(RoleArguments),
    /// Take messages off the bus into the store, as one of several processes; needs
    /// [nats].
    Archiver(RoleArguments),
    /// Mint a token and print it alone, or explain one (`barrage token check`).
    ///
    /// The key is the configured one, or the one that `up` keeps in the data directory.
    Token(Token),
    /// Send messages through the public path and say when they are shown.
    ///
    /// Fails (exit 1) when one is lost: for a cron job or a health dashboard. Without
    /// `--token-file` it mints a token with the key of the data directory.
    Probe(ProbeArguments),
    /// List or set the platform's switches. A change is in force on every instance within a second.
    Switch(Switch),
    /// Explain what happened to a message: every check, and its batch on every gateway.
    ///
    /// Asks all uplinks and gateways of the fleet. The id is the one that its sender gave it.
    Why(Why),
    /// Check every dependency and suggest fixes.
    ///
    /// Looks at the configuration, keys, certificates, word lists, clocks, servers and the running
    /// processes. Changes nothing; fails (exit 1) when something is bad.
    Doctor,
    /// Declare what the bus needs on its servers.
    #[command(subcommand)]
    Bus(BusCommand),
    /// Check the configuration, or show it as it is in force.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Where a process listens.
#[derive(Debug, Args)]
pub(crate) struct Listeners {
    /// Public address, as 127.0.0.1:8080 or localhost:8080; may be given several times. Port 0
    /// chooses a free one.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub(crate) listen: Vec<SocketAddr>,
    /// Address of the admin API, metrics and health.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub(crate) admin_listen: Option<SocketAddr>,
}

/// A recording to play.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// Play a small recording of ours into the room `demo`, again and again.
    #[arg(long, conflicts_with = "replay")]
    pub(crate) demo: bool,
    /// Play a recorded danmaku file (Bilibili XML) into a room at its own pace.
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// The room to replay into; made if it does not exist.
    #[arg(long, value_name = "ROOM", default_value = "demo", value_parser = parse::<RoomId>)]
    pub(crate) room: RoomId,
    /// Replay at this multiple of the recorded pace (0.01 to 1000).
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Begin the replay again when it ends.
    #[arg(long = "loop")]
    pub(crate) again: bool,
}

impl ReplayArguments {
    /// As the arguments that say the same to another process.
    pub(crate) fn arguments(&self) -> anyhow::Result<Vec<String>> {
        if self.demo {
            return Ok(vec!["--demo".into()]);
        }
        let Some(file) = &self.replay else { return Ok(Vec::new()) };
        let file = file.to_string_lossy().into_owned();
        let (room, speed) = (self.room.to_string(), self.speed.to_string());
        let mut words = vec!["--replay".into(), file, "--room".into(), room, "--speed".into(), speed];
        words.extend(self.again.then(|| "--loop".into()));
        Ok(words)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) listeners: Listeners,
    #[command(flatten)]
    pub(crate) replay: ReplayArguments,
    /// Start a fleet of processes on this machine instead of one, with a nats-server and
    /// a redis-server from PATH unless [nats] and [redis] name others.
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Gateways of the fleet, 1 to 32; means `--cluster`. Default 3.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) gateways: Option<u16>,
    /// Uplinks of the fleet, 1 to 32; means `--cluster`. Default 2.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) uplinks: Option<u16>,
    /// Start, drain and end gateways as the crowd comes and goes, from the given number
    /// on; means `--cluster`.
    #[arg(long)]
    pub(crate) autoscale: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RoleArguments {
    #[command(flatten)]
    pub(crate) listeners: Listeners,
    /// End when standard input ends: with the process that holds its other side.
    #[arg(long, hide = true)]
    pub(crate) with_stdin: bool,
}

/// The uplink plays recordings; the other roles have none.
#[derive(Debug, Args)]
pub(crate) struct UplinkArguments {
    #[command(flatten)]
    pub(crate) role: RoleArguments,
    #[command(flatten)]
    pub(crate) replay: ReplayArguments,
}

impl Command {
    /// The roles whose files and addresses are to be looked at before anything is started.
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

    /// Where the process listens, if it does.
    pub(crate) fn listeners(&self) -> Option<&Listeners> {
        match self {
            Command::Up(up) => Some(&up.listeners),
            Command::Gateway(role) | Command::Entry(role) | Command::Archiver(role) => Some(&role.listeners),
            Command::Uplink(uplink) => Some(&uplink.role.listeners),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: Option<TokenCommand>,
    #[command(flatten)]
    pub(crate) mint: Option<Mint>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Explain a token: its key, its claims, until when it is good, and what is wrong with it.
    ///
    /// Exits with 0 when a server with this configuration accepts it, else with 1.
    Check {
        /// The token; read from standard input when absent, which keeps it out of the
        /// shell's history.
        token: Option<String>,
        /// Also check that it is good for this room.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: Option<RoomId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Mint {
    /// User id (`sub`).
    #[arg(long, value_parser = parse::<UserId>)]
    pub(crate) user: UserId,
    /// Name to show; the user id when absent.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A room that it is good for, or `*` for all; may be given several times.
    #[arg(long = "room", required = true)]
    pub(crate) rooms: Vec<String>,
    /// viewer, moderator, host or admin.
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
    /// The room; its viewers see the messages, so give the probe one of its own.
    #[arg(long, default_value = "demo", value_parser = parse::<RoomId>)]
    pub(crate) room: RoomId,
    /// File that holds a token for the room.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How many messages.
    #[arg(long, default_value_t = 5)]
    pub(crate) count: u32,
    /// Between two messages.
    #[arg(long, default_value_t = 1000)]
    pub(crate) interval_ms: u64,
    /// A message that is not shown by then is lost.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) deadline_ms: u64,
}

/// Where the admin API is, and how it is entered.
#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    /// Base URL of the admin API; the configured address when absent.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) admin: Option<String>,
    /// File that holds a token with the role admin; without one it is minted with the
    /// key of the data directory.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Switch {
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    #[command(subcommand)]
    pub(crate) command: SwitchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SwitchCommand {
    /// Print every switch, how it stands, and what it does.
    List,
    /// Set one: `barrage switch set no-likes true`, `barrage switch set redis open`.
    Set {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The message's id.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BusCommand {
    /// Declare the streams and the buckets on NATS, and say how they stand.
    ///
    /// Every process does so at start, unless `nats.declare` is off because its account
    /// may not.
    Ensure,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the configuration is valid, and if not, everything that is wrong.
    ///
    /// Reads keys, certificates, word lists and other files as `up` does before it listens.
    /// Fails with exit code 64. It asks no server: `barrage doctor` does.
    Check,
    /// Print the configuration in force, as TOML. Passwords in URLs are shown as `***`.
    Show {
        /// Print every key with its default and its meaning instead, also those that are off.
        #[arg(long)]
        defaults: bool,
    },
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| format!("{text} is not a number"))?;
    if (0.01..=1000.0).contains(&speed) { Ok(speed) } else { Err("must be 0.01 to 1000".into()) }
}

/// Prints a line for the person who ran the command.
pub(crate) fn say(text: impl AsRef<str>) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.as_ref())?;
    Ok(())
}

/// Prints an error and its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    // A closed stderr leaves nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "barrage: {error:#}"));
}
