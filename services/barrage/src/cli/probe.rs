//! Arguments of `barrage probe`.

use std::path::PathBuf;

use barrage_protocol::RoomId;
use clap::Args;

use super::server::RoleArguments;
use super::value::parse;

#[derive(Debug, Args)]
pub(crate) struct ProbeArguments {
    #[command(flatten)]
    pub(crate) role: RoleArguments,
    /// Examine every gateway in turn until a signal.
    #[arg(long, conflicts_with_all = ["url", "count"])]
    pub(crate) serve: bool,
    /// Base URL of entry; the configured public address when absent.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Room to send to. Viewers of the room see the messages, so use a room for probes alone.
    #[arg(long, default_value = "demo", value_parser = parse::<RoomId>)]
    pub(crate) room: RoomId,
    /// File that holds a token for the room.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// File in which entry's last good answer is kept for seven days, as clients keep it.
    ///
    /// The probe then also works while entry is away. Its folder must exist; the file gets the mode 0600.
    #[arg(long, value_name = "FILE", conflicts_with = "serve")]
    pub(crate) keep_file: Option<PathBuf>,
    /// Number of messages to send.
    #[arg(long, default_value_t = 5)]
    pub(crate) count: u32,
    /// Time between two messages in milliseconds.
    #[arg(long, default_value_t = 1000)]
    pub(crate) interval_ms: u64,
    /// Longest time from send to display in milliseconds; a later message counts as lost.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) deadline_ms: u64,
}
