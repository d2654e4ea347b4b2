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
    /// Remove a picture or file from all messages and from the store, for good.
    ///
    /// It cannot be uploaded again. The messages stay, without it.
    RemoveMedia {
        /// SHA-256 of the file in 64 hexadecimal digits: `digest` of a message's media.
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
