//! Verbs of `barrage message`: recalls, announcements and explanations.

use barrage_protocol::{MessageId, RoomId, Sequence};
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
