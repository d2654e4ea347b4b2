//! Arguments of `barrage token`.

use barrage_protocol::{RoomId, UserId};
use barrage_token::Role;
use clap::{Args, Subcommand};

use super::value::parse;

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
    /// User id, the claim `sub`.
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
    /// Attributes of the user as JSON: badges, level, member_since, color, avatar.
    #[arg(long, value_name = "JSON")]
    pub(crate) attrs: Option<String>,
    /// Lifetime of the token in seconds.
    #[arg(long, default_value_t = 3600)]
    pub(crate) ttl_secs: u64,
}
