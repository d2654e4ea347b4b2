//! Verbs of `barrage recorder`: the flight recorders.

use barrage_protocol::RoomId;
use clap::Subcommand;

use crate::cli::value::parse;

#[derive(Debug, Subcommand)]
pub(crate) enum RecorderCommand {
    /// Print the posts of a room in the last minutes as JSON Lines.
    Uplink {
        /// Room of the records.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Print the batches of a room in the last minutes as JSON Lines.
    Gateway {
        /// Id of the gateway; the process of the admin URL when absent.
        gateway: Option<String>,
        /// Room of the records.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: RoomId,
    },
}
