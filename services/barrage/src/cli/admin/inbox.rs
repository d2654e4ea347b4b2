//! Verbs of `barrage inbox`: reports, erase and export of a user.

use barrage_protocol::{RoomId, UserId};
use clap::Subcommand;

use crate::cli::value::parse;

#[derive(Debug, Subcommand)]
pub(crate) enum InboxCommand {
    /// List reports about letters and groups with their evidence, newest first.
    Reports {
        /// List closed reports too.
        #[arg(id = "open", long = "all")]
        all: bool,
        /// List reports with a smaller id: `next_before` of the page before.
        #[arg(long)]
        before: Option<u64>,
        /// Reports of a page, 1 to 500.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Close a report, with a note of what was decided.
    CloseReport {
        /// Id of the report.
        report: u64,
        /// What was decided, at most 500 characters.
        #[arg(long)]
        note: Option<String>,
    },
    /// Tell the followers of a host that it is live. The same stream again shows how far that has come.
    Live {
        /// Id of the host.
        #[arg(value_parser = parse::<UserId>)]
        host: UserId,
        /// Id of the stream: followers are told once of each.
        #[arg(long)]
        stream: String,
        /// Room that the notification opens.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Title of the stream.
        #[arg(long)]
        title: Option<String>,
    },
    /// Erase what a user wrote, and take the user out of all groups. Repeat it while the answer says `more`.
    Erase {
        /// Id of the user.
        #[arg(value_parser = parse::<UserId>)]
        user: UserId,
    },
    /// Print the inbox of a user as JSON Lines: the user, conversations and items.
    Export {
        /// Id of the user.
        #[arg(value_parser = parse::<UserId>)]
        user: UserId,
    },
}
