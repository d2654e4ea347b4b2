//! Verbs of `barrage message`: recalls, announcements and explanations.

use barrage_protocol::{Digest, MessageId, RoomId, Sequence};
use clap::Subcommand;

use crate::cli::value::{parse, sequence};

#[derive(Debug, Subcommand)]
pub(crate) enum MessageCommand {
    /// Recall one message of a room, so that viewers hide the message.
    Recall {
        /// Position of the message in the room, as `barrage why` prints it.
        #[arg(value_parser = sequence)]
        sequence: Sequence,
        /// Room of the message.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Announce a text to every open room.
    Broadcast {
        /// Text that the rooms show.
        text: String,
        /// Id of an earlier broadcast, to send it again to the rooms that do not have it.
        #[arg(long, value_parser = parse::<MessageId>)]
        id: Option<MessageId>,
    },
    /// List what messages of a room show, newest first, with addresses to look at it.
    ListMedia {
        /// Room of the messages.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Only messages before this position: `before` of the page before.
        #[arg(long, value_parser = sequence)]
        before: Option<Sequence>,
        /// Media of the page, 1 to 200; 50 by default.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: Option<u16>,
    },
    /// Remove a picture or file from all messages and from the store.
    ///
    /// It cannot be uploaded again until `allow-media`. The messages stay, without it.
    RemoveMedia {
        /// SHA-256 of the file in 64 hexadecimal digits: `digest` of a message's media.
        #[arg(value_parser = Digest::parse)]
        digest: Digest,
    },
    /// Lift the removal of a picture or file, so that it may be uploaded again.
    ///
    /// Messages show it again once somebody has uploaded it.
    AllowMedia {
        /// SHA-256 of the file in 64 hexadecimal digits.
        #[arg(value_parser = Digest::parse)]
        digest: Digest,
    },
    /// Explain what happened to a message, as `barrage why` does.
    Why {
        /// Id that the sender gave the message.
        #[arg(value_parser = parse::<MessageId>)]
        id: MessageId,
    },
    /// Print the batch that a message was in at one gateway.
    FanOut {
        /// Position of the message in the room.
        #[arg(value_parser = sequence)]
        sequence: Sequence,
        /// Room of the message.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Id of the gateway; the process of the admin URL when absent.
        #[arg(long)]
        gateway: Option<String>,
    },
}
