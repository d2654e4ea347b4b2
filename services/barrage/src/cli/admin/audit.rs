//! Verbs of `barrage audit`: the audit log.

use barrage_protocol::{RoomId, UserId};
use clap::Subcommand;

use crate::cli::value::parse;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List lines of the audit log, newest first.
    List {
        /// List the lines of this room alone.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: Option<RoomId>,
        /// List the lines that concern this user alone.
        #[arg(long, value_parser = parse::<UserId>)]
        user: Option<UserId>,
        /// List the lines of this actor alone: the user of an admin token, or the name of a moderation rule.
        #[arg(long, value_name = "NAME")]
        actor: Option<String>,
        /// List the lines of this action alone, such as mute or switch.
        #[arg(long)]
        action: Option<String>,
        /// List the lines before this id.
        #[arg(long, value_name = "ID")]
        before: Option<u64>,
        /// Number of lines, 1 to 1,000.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        limit: Option<u16>,
    },
}
