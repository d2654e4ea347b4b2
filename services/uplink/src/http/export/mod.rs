//! Exports of a room's stream: the whole history as one file, streamed page by page.

mod file;
mod stream;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use barrage_http::ApiError;
use barrage_protocol::{Code, RoomId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::room::parse_room_id;
use crate::uplink::Uplink;

pub(super) use stream::{Reader, answer};

/// Forms of file in which a history may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ExportFormat {
    /// Bilibili's XML, with the elements of live recorders for gifts and super chats.
    Xml,
    /// ASS subtitles with danmaku in lanes.
    Ass,
    /// JSON Lines: one message of the history a line.
    Jsonl,
}

impl ExportFormat {
    fn media_type(self) -> &'static str {
        match self {
            ExportFormat::Xml => "application/xml",
            ExportFormat::Ass => "text/x-ssa; charset=utf-8",
            ExportFormat::Jsonl => "application/jsonl",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            ExportFormat::Xml => "xml",
            ExportFormat::Ass => "ass",
            ExportFormat::Jsonl => "jsonl",
        }
    }
}

/// Part of the stream that an export covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// First offset into the stream, in milliseconds.
    pub(super) from_ms: u64,
    /// End of the offsets, which is not part of it.
    pub(super) to_ms: u64,
    /// Unix time of acceptance up to which the caller sees messages, in a room with a delay.
    pub(super) shown_to_ms: u64,
}

impl Part {
    /// Reads both ends of a query; without any, the whole stream.
    pub(super) fn of(from_ms: Option<u64>, to_ms: Option<u64>, shown_to_ms: u64) -> Result<Self, ApiError> {
        let (from_ms, to_ms) = (from_ms.unwrap_or(0), to_ms.unwrap_or(u64::MAX));
        if from_ms >= to_ms {
            return Err(ApiError::new(Code::BadRequest, "from_ms: must be less than to_ms"));
        }
        Ok(Part { from_ms, to_ms, shown_to_ms })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    /// Format of the file.
    format: ExportFormat,
    /// First offset into the stream, in milliseconds; 0 when absent.
    from_ms: Option<u64>,
    /// Offset at which the export ends, in milliseconds; the end of the stream when absent.
    to_ms: Option<u64>,
}

/// Exports a room's stream for an admin.
pub(super) async fn of_room(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    query: Result<Query<ExportQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(ExportQuery { format, from_ms, to_ms }) =
        query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room: RoomId = parse_room_id(&room)?;
    // What is accepted from now on is not of the export, so that the export of a live room ends.
    let part = Part::of(from_ms, to_ms, barrage_clock::unix_ms())?;
    answer(&uplink, &room, format, part, Reader::Admin).await
}
