//! Verbs of `barrage poll`: polls of rooms and their results.

use std::time::Duration;

use barrage_protocol::{MessageId, RoomId};
use clap::Subcommand;

use crate::cli::value::{duration, parse};

#[derive(Debug, Subcommand)]
pub(crate) enum PollCommand {
    /// List the last polls of a room with their votes.
    List {
        /// Room of the polls.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Open a poll: `barrage poll open R p1 'Which way?' --option left --option right --for 2m`.
    Open {
        /// Room of the poll; one poll runs in it at a time.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Id of the poll. The same call again changes nothing.
        #[arg(value_parser = parse::<MessageId>)]
        poll: MessageId,
        /// Question of at most 120 characters.
        question: String,
        /// Option of at most 40 characters; name 2 to 10.
        #[arg(long = "option", required = true, value_name = "TEXT")]
        options: Vec<String>,
        /// Time after which the poll closes by itself, 10s to 24h.
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        time: Duration,
        /// Refuse the votes of guests.
        #[arg(long)]
        no_guests: bool,
        /// Count chat that is the number or the text of an option.
        #[arg(long)]
        words: bool,
    },
    /// Close a poll before its end and print the result.
    Close {
        /// Room of the poll.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Id of the poll.
        #[arg(value_parser = parse::<MessageId>)]
        poll: MessageId,
    },
}
