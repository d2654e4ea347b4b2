//! Verbs of `barrage room`: rooms and their settings.

use std::time::Duration;

use barrage_protocol::action::Action;
use barrage_protocol::event::EventType;
use barrage_protocol::{MessageId, RoomId};
use clap::{Subcommand, ValueEnum};
use serde_json::Value;
use time::OffsetDateTime;

use crate::cli::value::{action, duration, parse, rfc3339};

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
    /// Print the stream of a room as one file: `barrage room export R --format xml > R.xml`.
    Export {
        /// Room whose stream is written.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Format of the file.
        #[arg(long, value_enum, default_value = "xml")]
        format: ExportFormatArgument,
        /// First offset into the stream, in milliseconds.
        #[arg(long, value_name = "MS")]
        from_ms: Option<u64>,
        /// Offset at which the export ends, in milliseconds.
        #[arg(long, value_name = "MS")]
        to_ms: Option<u64>,
    },
    /// List the roles that a room gave.
    Roles {
        /// Room whose roles are listed.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// List the attributes of a room: short texts that its hosts and programs set.
    Attributes {
        /// Room whose attributes are listed.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Take one action of a moderator: `barrage room act R '{"type":"unpin"}'`.
    Act {
        /// Room of the action.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Action as JSON, as the protocol page lists them.
        #[arg(value_name = "JSON", value_parser = action)]
        action: Action,
        /// Id of the action: the same id again repeats nothing. A new one when absent.
        #[arg(long, value_parser = parse::<MessageId>)]
        id: Option<MessageId>,
        /// Reason for the audit log.
        #[arg(long)]
        reason: Option<String>,
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
    /// Send a custom event to the viewers of a room: `barrage room event R shop.card --id 1`.
    Event {
        /// Room whose viewers get the event.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Type with its namespace, such as shop.card.
        #[arg(value_name = "TYPE", value_parser = parse::<EventType>)]
        event: EventType,
        /// Id of the event; the same id again sends nothing.
        #[arg(long, value_parser = parse::<MessageId>)]
        id: MessageId,
        /// Class of the event; chat may be dropped under load.
        #[arg(long, value_enum, default_value = "signal")]
        class: EventClassArgument,
        /// JSON of at most 4 KB.
        #[arg(long, value_name = "JSON", value_parser = json, default_value = "null")]
        data: Value,
    },
}

/// Forms of file in which an export may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormatArgument {
    /// Bilibili's XML, which `barrage up --replay` plays again.
    Xml,
    /// ASS subtitles for video players.
    Ass,
    /// JSON Lines with all fields.
    Jsonl,
}

/// Class of a custom event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventClassArgument {
    Signal,
    Gift,
    Chat,
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// State of a setting that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}
