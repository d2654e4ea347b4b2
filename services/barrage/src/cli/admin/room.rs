//! Verbs of `barrage room`: rooms and their settings.

use std::time::Duration;

use barrage_protocol::RoomId;
use clap::{Subcommand, ValueEnum};
use time::OffsetDateTime;

use crate::cli::value::{duration, parse, rfc3339};

#[derive(Debug, Subcommand)]
pub(crate) enum RoomCommand {
    /// List all rooms with their settings.
    List,
    /// Print the settings of one room.
    Settings {
        /// Room whose settings are printed.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Create a room, or change its title or the start of its stream. Opens a closed room.
    Set {
        /// Room to create or change.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Title of at most 100 characters.
        #[arg(long)]
        title: Option<String>,
        /// Start of the stream, such as 2026-11-21T20:00:00+08:00: offsets into the stream count from
        /// here.
        #[arg(long, value_name = "TIME", value_parser = rfc3339)]
        stream_started: Option<OffsetDateTime>,
    },
    /// Close a room and disconnect its viewers.
    Close {
        /// Room whose viewers are disconnected.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Mute all viewers of a room, or end that.
    MuteAll {
        /// Room whose viewers may not write.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// New state: `on` or `off`.
        #[arg(value_enum)]
        state: OnOff,
    },
    /// Set the minimum time between two chats of one viewer: `barrage room slow-mode R 10s`.
    SlowMode {
        /// Room with the slow mode.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Time such as 10s; 0s turns slow mode off.
        #[arg(value_name = "TIME", value_parser = duration)]
        time: Duration,
    },
}

/// State of a setting that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}
