//! Command line of the server: subcommands and their arguments.

use std::path::PathBuf;

use barrage_protocol::MessageId;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) mod admin;
mod probe;
mod replay;
mod server;
mod token;
mod value;

use self::admin::{
    AdminArguments, AuditCommand, EmoteCommand, FleetCommand, GatewayCommand, InboxCommand, MessageCommand,
    NounArguments, Output, PartitionsCommand, PollCommand, PrewarmCommand, RecorderCommand, ResultArguments,
    ReviewCommand, RoomCommand, SwitchCommand, TraceCommand, UserCommand, WebhookCommand, WordsCommand,
};
pub(crate) use self::probe::ProbeArguments;
pub(crate) use self::replay::ReplayArguments;
use self::server::ListenArguments;
pub(crate) use self::server::{RoleArguments, UpArguments, UplinkArguments};
pub(crate) use self::token::{MintArguments, TokenArguments, TokenCommand};
use self::value::parse;
use crate::config::Overrides;
use crate::exit;
use crate::roles::Roles;

/// Live-stream chat and danmaku.
///
/// `barrage up` starts everything in one process and needs no other server.
#[derive(Debug, Parser)]
#[command(version, about, long_about, after_long_help = exit::help())]
pub(crate) struct Cli {
    /// Configuration file (TOML). Without this flag, `./barrage.toml` is read if it exists. Flags
    /// override `BARRAGE_*` environment variables (`BARRAGE_GATEWAY__WINDOW_MS=100`), variables
    /// override the file, and the file overrides defaults.
    #[arg(long, global = true, env = "BARRAGE_CONFIG", hide_env = true)]
    pub(crate) config: Option<PathBuf>,
    /// Data directory: keys, message log and store.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// PEM file with authorities to trust beside those of the system, for `https` and `wss` URLs.
    /// Overrides `ca_file` and BARRAGE_CA_FILE.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
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
            ca_file: self.ca_file.clone(),
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
    /// Run an uplink, which accepts messages and serves the admin API. Needs [nats].
    Uplink(UplinkArguments),
    /// Run an entry scheduler, which names endpoints to clients and serves the page. Needs [nats].
    Entry(RoleArguments),
    /// Run an archiver, which copies messages from the bus to the store. Needs [nats].
    Archiver(RoleArguments),
    /// Run an IRC gateway for bots and clients of others, a client of the public protocol.
    ///
    /// The addresses are in `[irc]`; `--listen` is not used. In `up`, the gateway runs while `irc.listen` or
    /// `irc.tls_listen` has an address.
    Irc(RoleArguments),
    /// Run webhooks, which tell a customer's servers what happened. Needs [nats].
    Webhooks(RoleArguments),
    /// Run media: uploads of pictures, clips and files, and their delivery. Needs [nats].
    ///
    /// The addresses are in `[media]`; `--listen` is not used. In `up`, media run while `media.listen` has an
    /// address.
    Media(RoleArguments),
    /// Run a courier, which takes letters of the lanes into the tables of the inbox. Needs [nats] and [postgres].
    Courier(RoleArguments),
    /// Run push, which sends notifications to devices. Needs [nats], the inbox and a service in [push].
    Push(RoleArguments),
    /// Mint a token and print the token alone, or explain one (`barrage token check`).
    ///
    /// The key is the configured one, or the one that `up` made in the data directory.
    Token(TokenArguments),
    /// Send messages through the public path and print when each is shown.
    ///
    /// Exits with 1 when a message is lost, for a cron job or a health dashboard. Without
    /// `--token-file`, the command mints a token with the key of the data directory.
    ///
    /// `--serve` examines every gateway in turn until a signal, in the reserved room `barrage-probe`, and
    /// has metrics on the admin listener. The settings are in `[probe]`.
    Probe(ProbeArguments),
    /// List, create, change and close rooms.
    Room(NounArguments<RoomCommand>),
    /// Mute, kick and list users of rooms; revoke their tokens.
    User(NounArguments<UserCommand>),
    /// List and decide what waits for moderators of rooms.
    Review(NounArguments<ReviewCommand>),
    /// Show, set and test the words of rooms.
    Words(NounArguments<WordsCommand>),
    /// Show, import, put and remove the emotes of rooms.
    Emote(NounArguments<EmoteCommand>),
    /// Recall, announce and explain messages.
    Message(NounArguments<MessageCommand>),
    /// Open, close and list polls of rooms.
    Poll(NounArguments<PollCommand>),
    /// List, weigh and drain gateways, or run a gateway.
    ///
    /// Without a verb, the process runs a gateway, which holds viewers' connections. That needs [nats].
    Gateway(GatewayArguments),
    /// List or set the platform's switches. A change is in force on every instance within a second.
    Switch(NounArguments<SwitchCommand>),
    /// List or change which messages are traced. A change is in force everywhere within a second.
    Trace(NounArguments<TraceCommand>),
    /// List receivers of webhooks and their deliveries; replay and enable.
    Webhook(NounArguments<WebhookCommand>),
    /// List and close reports about letters; erase and export the inbox of a user.
    Inbox(NounArguments<InboxCommand>),
    /// Announce crowds, so that gateways are there before the viewers.
    Prewarm(NounArguments<PrewarmCommand>),
    /// Read the audit log: who changed what.
    Audit(NounArguments<AuditCommand>),
    /// List the instances of the fleet.
    Fleet(NounArguments<FleetCommand>),
    /// Print the flight recorders: a room's last minutes, without texts and names.
    Recorder(NounArguments<RecorderCommand>),
    /// Move the viewers of this machine's process away before it stops, as a hook of an orchestrator.
    ///
    /// Starts the drain of the gateway at the admin listener, and ends when its viewers have gone or
    /// the drain's time is over. A process without a gateway has no viewers: the command waits for
    /// `--pause-secs`, so that load balancers stop sending to it, and changes nothing.
    Drain(DrainArguments),
    /// Explain what happened to a message: every check, and the batch on every gateway.
    ///
    /// Asks all uplinks and gateways of the fleet. ID is the id that the sender gave the message.
    Why(WhyArguments),
    /// Check every dependency and suggest fixes.
    ///
    /// Examines the configuration, keys, certificates, word lists, clocks, limits of the kernel, servers,
    /// public ports and addresses, and the running processes. Changes nothing. Exits with 1 when a check fails.
    Doctor(DoctorArguments),
    /// Copy the data directory of `up`, or the streams of a cluster on NATS, to a new folder.
    ///
    /// The servers may run meanwhile. The copy has the message log, the archive, the inbox, settings and the token
    /// key: keep it as secret as the data directory. It has everything that was answered before the command
    /// began. A cluster names its servers with `--config`. PostgreSQL has `pg_dump`: run it first, so that the
    /// streams have what came later.
    Backup {
        /// Folder of the copy, which must not exist.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Make a data directory, or the streams of a cluster, from a copy of `backup`.
    ///
    /// `--data-dir` names the new directory, which must not exist or be empty; NATS must have none of the
    /// streams, and all processes must be stopped. The archive gets what it lacks of the restored messages.
    /// Viewers who come back with a position from after the backup are told that messages are gone. No
    /// position is given twice.
    Restore {
        /// Folder of the copy.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
    /// Declare the streams and buckets of the bus, and spread its rooms.
    #[command(subcommand)]
    Bus(BusCommand),
    /// Check the configuration, or print it.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI 3.1 description of the HTTP API, as the listeners serve it.
    Openapi {
        /// Describe the public listener alone, without the admin API.
        #[arg(long)]
        public: bool,
    },
    /// Print the script that completes commands: `source <(barrage completions bash)`.
    Completions {
        /// Shell that reads the script.
        shell: Shell,
    },
    /// Write a man page for each command.
    Man {
        /// Folder for the pages: `man1` in a folder that `manpath` lists.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Check a values file of the Helm chart instead: the grace period against the drain, requests
    /// against the capacity, and what a cluster needs.
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Option<PathBuf>,
}

/// Arguments of `barrage gateway`: those of a role without a verb, or those of a verb.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct GatewayArguments {
    #[command(flatten)]
    pub(crate) role: RoleArguments,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    #[command(flatten)]
    pub(crate) result: ResultArguments,
    #[command(subcommand)]
    pub(crate) command: Option<GatewayCommand>,
}

impl Command {
    /// Roles whose files and addresses are checked before anything starts.
    pub(crate) fn roles(&self) -> Option<Roles> {
        match self {
            Command::Up(_) | Command::Doctor(_) | Command::Config(ConfigCommand::Check) => Some(Roles::ALL),
            Command::Gateway(gateway) if gateway.command.is_none() => Some(Roles::GATEWAY),
            Command::Uplink(_) => Some(Roles::UPLINK),
            Command::Entry(_) => Some(Roles::ENTRY),
            Command::Archiver(_) => Some(Roles::ARCHIVER),
            Command::Webhooks(_) => Some(Roles::WEBHOOKS),
            Command::Media(_) => Some(Roles::MEDIA),
            Command::Courier(_) => Some(Roles::COURIER),
            Command::Push(_) => Some(Roles::PUSH),
            _ => None,
        }
    }

    /// Whether the command fails when the configuration has a mistake.
    pub(crate) fn needs_configuration(&self) -> bool {
        !matches!(
            self,
            Command::Doctor(_) | Command::Openapi { .. } | Command::Completions { .. } | Command::Man { .. }
        )
    }

    /// Addresses of a command that starts a server.
    pub(crate) fn listen(&self) -> Option<&ListenArguments> {
        match self {
            Command::Up(up) => Some(&up.listen),
            Command::Gateway(gateway) => Some(&gateway.role.listen),
            Command::Entry(role)
            | Command::Archiver(role)
            | Command::Irc(role)
            | Command::Media(role)
            | Command::Webhooks(role)
            | Command::Courier(role)
            | Command::Push(role) => Some(&role.listen),
            Command::Uplink(uplink) => Some(&uplink.role.listen),
            Command::Probe(probe) => Some(&probe.role.listen),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DrainArguments {
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// Time in seconds that a process without a gateway still gets requests from load balancers.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) pause_secs: u64,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// Id of the message.
    #[arg(value_parser = parse::<MessageId>)]
    pub(crate) id: MessageId,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// Form of the result on standard output.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BusCommand {
    /// Declare the streams and buckets on NATS, and print their state.
    ///
    /// Every process declares them at start. Run this command with another account where
    /// `nats.declare` is off because the account of the processes lacks the permission.
    Ensure,
    /// Show or set the number of partitions that rooms are spread over. Rooms move while people write.
    Partitions(NounArguments<PartitionsCommand>),
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
