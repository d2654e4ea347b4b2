//! Verbs of `barrage user`: mutes, kicks and revoked tokens.

use std::time::Duration;

use barrage_protocol::{RoomId, UserId};
use clap::{Args, Subcommand};

use crate::cli::value::{duration, parse};

/// A user in a room, and why an operator acts.
#[derive(Debug, Args)]
pub(crate) struct UserInRoom {
    /// Id of the user.
    #[arg(value_parser = parse::<UserId>)]
    pub(crate) user: UserId,
    /// Room of the action.
    #[arg(long, value_parser = parse::<RoomId>)]
    pub(crate) room: RoomId,
    /// Why, for the audit log alone; the user does not see the reason.
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Mute a user in a room for a time: `barrage user mute U --room R --for 10m`.
    Mute {
        #[command(flatten)]
        target: UserInRoom,
        /// Length of the mute, such as 10m or 2h. A longer mute that was set before stays in force.
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        time: Duration,
    },
    /// Lift a mute. A kick stays in force.
    Unmute(UserInRoom),
    /// Remove a user from a room for a time.
    Kick {
        #[command(flatten)]
        target: UserInRoom,
        /// Length of the kick, such as 10m or 2h. A longer kick that was set before stays in force.
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        time: Duration,
    },
    /// Lift a kick. A mute stays in force.
    Unkick(UserInRoom),
    /// List the users who are muted or kicked in a room now.
    Restrictions {
        /// Room of the users.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: RoomId,
        /// List the users after this one, in the order of their ids.
        #[arg(long, value_parser = parse::<UserId>)]
        after: Option<UserId>,
        /// Number of users, 1 to 1,000.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        limit: Option<u16>,
    },
    /// Revoke the tokens of one user that were made up to now.
    Revoke {
        /// Id of the user.
        #[arg(value_parser = parse::<UserId>)]
        user: UserId,
    },
    /// Revoke the tokens of all users that were made up to now, the caller's included.
    RevokeAll {
        /// Confirm that every user has to fetch a new token.
        #[arg(long, required = true)]
        yes: bool,
    },
}
