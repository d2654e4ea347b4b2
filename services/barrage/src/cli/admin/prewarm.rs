//! Verbs of `barrage prewarm`: announced crowds.

use std::time::Duration;

use barrage_protocol::RoomId;
use clap::Subcommand;
use time::OffsetDateTime;

use crate::cli::value::{duration, parse, rfc3339};

#[derive(Debug, Subcommand)]
pub(crate) enum PrewarmCommand {
    /// List announced crowds that are not over.
    List,
    /// Announce a crowd, so that the autoscaler has gateways for it.
    Add {
        /// Room that the viewers come to.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Time at which the viewers come, such as 2026-11-21T20:00:00+08:00.
        #[arg(long, value_name = "TIME", value_parser = rfc3339)]
        at: OffsetDateTime,
        /// Number of viewers that are expected.
        #[arg(long)]
        viewers: u64,
        /// Expected stay of the viewers, such as 2h.
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        time: Duration,
    },
    /// Delete an announced crowd.
    Delete {
        /// Id of the announcement, as `barrage prewarm list` prints it.
        id: String,
    },
}
