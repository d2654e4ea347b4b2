//! Verbs of `barrage emote`: the emotes of a room.

use barrage_protocol::RoomId;
use clap::{Subcommand, ValueEnum};
use serde_json::Value;

use crate::cli::value::{json_file, parse};

/// Where a picture of a set is used.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum EmoteKindArgument {
    /// It stands for its word in texts.
    #[default]
    Emote,
    /// It is sent alone as a picture.
    Sticker,
    /// It is the picture of a badge.
    Badge,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EmoteCommand {
    /// Show the emotes of a room, without those of the platform.
    Show {
        /// Room of the emotes.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Replace all emotes of a room by those of a JSON file.
    ///
    /// The file is the body of `PUT /v1/rooms/{room}/emotes`, at most 64 KiB, such as
    /// `{"emotes": [{"id": "1", "name": "Kappa", "url": "https://cdn.example/1-{px}.webp", "px": [28, 56]}]}`.
    Import {
        /// Room of the emotes.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// File with the emotes.
        #[arg(value_name = "FILE", value_parser = json_file)]
        emotes: Value,
    },
    /// Add an emote to a room, or change the one of this id.
    Put {
        /// Room of the emote.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Id of the emote: 1 to 32 letters, digits, `_` and `-`.
        id: String,
        /// Word that stands for the emote: 2 to 32 characters without white space.
        #[arg(long)]
        name: String,
        /// Address of the image, https or a path of the page's own host; `{px}` stands for a height.
        #[arg(long, required_unless_present = "reference")]
        url: Option<String>,
        /// Height of the image in CSS pixels; several, smallest first, for other densities.
        #[arg(long = "px", required_unless_present = "reference")]
        px: Vec<u16>,
        /// The image moves, such as a GIF.
        #[arg(long)]
        animated: bool,
        /// Reference to a picture of the media hosts instead: the `reference` of an upload that is ready.
        #[arg(long, conflicts_with_all = ["url", "px", "animated"])]
        reference: Option<String>,
        /// Where the picture is used.
        #[arg(long, value_enum, default_value_t)]
        kind: EmoteKindArgument,
    },
    /// Remove one emote of a room.
    Remove {
        /// Room of the emote.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Id of the emote.
        id: String,
    },
}
