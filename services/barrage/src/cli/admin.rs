//! Commands that call the admin API: one verb for each operation, `barrage NOUN VERB`.
//!
//! The operation of `barrage room close` is `room_close`: a test compares the verbs with the
//! description of the API, both ways.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

mod audit;
mod emote;
mod fleet;
mod gateway;
mod inbox;
mod message;
mod partitions;
mod poll;
mod prewarm;
mod recorder;
mod review;
mod room;
mod switch;
mod trace;
mod user;
mod webhook;
mod words;

pub(crate) use audit::AuditCommand;
pub(crate) use emote::EmoteCommand;
pub(crate) use fleet::FleetCommand;
pub(crate) use gateway::GatewayCommand;
pub(crate) use inbox::InboxCommand;
pub(crate) use message::MessageCommand;
pub(crate) use partitions::PartitionsCommand;
pub(crate) use poll::PollCommand;
pub(crate) use prewarm::PrewarmCommand;
pub(crate) use recorder::RecorderCommand;
pub(crate) use review::{FallbackWord, ReviewCommand};
pub(crate) use room::{EventClassArgument, ExportFormatArgument, OnOff, RoomCommand};
pub(crate) use switch::SwitchCommand;
pub(crate) use trace::TraceCommand;
pub(crate) use user::{UserCommand, UserInRoom};
pub(crate) use webhook::WebhookCommand;
pub(crate) use words::WordsCommand;

/// Address of the admin API, and the token for it.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct AdminArguments {
    /// Base URL of the admin API of any process of the fleet; the configured address when absent.
    /// Commands find processes of other roles through that process.
    #[arg(long, global = true, value_name = "URL", env = "BARRAGE_ADMIN_URL", hide_env_values = true)]
    pub(crate) admin: Option<String>,
    /// File that holds a token with the role admin. Without a file, the command takes the token from
    /// the variable BARRAGE_ADMIN_TOKEN, or mints one with the key of the data directory.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "BARRAGE_ADMIN_TOKEN_FILE",
        hide_env_values = true
    )]
    pub(crate) token_file: Option<PathBuf>,
}

/// Form of the result, and whether a change is made.
#[derive(Debug, Default, Clone, Copy, Args)]
pub(crate) struct ResultArguments {
    /// Form of the result on standard output.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Output,
    /// Print the request that would be sent, and the current state where it can be read. Change
    /// nothing.
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
}

/// Form of a result on standard output.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// One JSON object with `schema_version`, `operation` and `data`, for programs.
    Json,
}

/// A noun with its verbs, and the arguments that all verbs have.
#[derive(Debug, Args)]
pub(crate) struct NounArguments<C: Subcommand> {
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    #[command(flatten)]
    pub(crate) result: ResultArguments,
    #[command(subcommand)]
    pub(crate) command: C,
}
