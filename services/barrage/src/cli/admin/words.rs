//! Verbs of `barrage words`: the words of a room.

use barrage_protocol::RoomId;
use clap::Subcommand;
use serde_json::Value;

use crate::cli::value::{json_file, parse};

#[derive(Debug, Subcommand)]
pub(crate) enum WordsCommand {
    /// Show the words of a room, with what each rule did in ten minutes.
    Show {
        /// Room of the words.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Replace the words of a room by those of a JSON file.
    ///
    /// The file is the body of `PUT /v1/rooms/{room}/words`, such as
    /// `{"rules": [{"name": "insults", "words": ["darn"], "action": "hold", "shadow": true}]}`.
    Set {
        /// Room of the words.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// File with the rules.
        #[arg(value_name = "FILE", value_parser = json_file)]
        rules: Value,
    },
    /// Print what the words of a room would do with a text.
    Test {
        /// Room of the words.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Text that the rules are tried on.
        text: String,
    },
}
