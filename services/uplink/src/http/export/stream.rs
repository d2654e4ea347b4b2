//! The answer with an export: pages of the store in bounded memory, at the pace of the reader.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use barrage_http::ApiError;
use barrage_protocol::post::History;
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_store::{HistoryRange, Store, StoreError};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use tokio::sync::OwnedSemaphorePermit;

use super::file::{ExportFile, is_of_stream};
use super::{ExportFormat, Part};
use crate::uplink::Uplink;

/// Messages that one export holds at a time: some 100 KB, and 1 MB with the largest events.
const PAGE: usize = 200;
/// Messages before the first one of the stream that are read as well: the clocks of two uplinks differ,
/// so that a message of a larger offset may have a smaller sequence.
const MARGIN: u64 = 1_000;
/// Milliseconds after which a client may ask again when too many exports run.
const RETRY_MS: u64 = 5_000;

/// Makes the answer. The first page is read before it begins: a store that fails is a refusal. One
/// that fails later ends the connection, so that a file that is cut off is never taken for a whole one.
pub(in crate::http) async fn answer(
    uplink: &Uplink,
    room: &RoomId,
    format: ExportFormat,
    part: Part,
) -> Result<Response, ApiError> {
    let settings = uplink.bus.settings().borrow().clone();
    if !settings.rooms.contains_key(room) {
        return Err(ApiError::new(Code::UnknownRoom, "there is no such room"));
    }
    let permit = Arc::clone(&uplink.exports).try_acquire_owned().map_err(|_| {
        let message = "this server writes as many exports as it can; come back later";
        ApiError::new(Code::Overloaded, message).retry_after_ms(RETRY_MS)
    })?;
    let store = Arc::clone(&uplink.store);
    let first = store.history_by_offset(room, 0, i64::MAX as u64, 1).await;
    let first = first.map_err(|error| unavailable(&error))?.messages.into_iter().next();
    // The start that the archive counts from. A room without one counts from its first message.
    let archived = store.room(room).await.map_err(|error| unavailable(&error))?;
    let of_first = first.as_ref().map_or(0, |message| message.at_ms.saturating_sub(message.offset_ms));
    let started_ms = archived.map_or(of_first, |room| room.stream_started_at_ms);
    let first = first.map_or(0, |message| message.sequence.0);
    let after = Sequence(first.saturating_sub(MARGIN));
    let mut text = String::new();
    let file = ExportFile::new(format, &mut text);
    let mut export =
        Export { store, room: room.clone(), started_ms, part, after, file: Some(file), _permit: permit };
    export.page(&mut text).await.map_err(|error| unavailable(&error))?;
    let pages = stream::try_unfold((export, text), |(mut export, mut text)| async move {
        while text.is_empty() {
            if export.file.is_none() {
                return Ok(None);
            }
            export.page(&mut text).await.inspect_err(|error| {
                tracing::warn!(%error, "an export ended early: the history cannot be read");
            })?;
        }
        Ok::<_, StoreError>(Some((Bytes::from(text), (export, String::new()))))
    });
    let name = format!("attachment; filename=\"{room}.{}\"", format.extension());
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn unavailable(error: &StoreError) -> ApiError {
    tracing::warn!(%error, "the history cannot be read");
    ApiError::new(Code::Unavailable, "history cannot be read now").retry_after_ms(1_000)
}

/// An export in progress. The permit is returned when the export is dropped.
struct Export {
    store: Arc<dyn Store>,
    room: RoomId,
    started_ms: u64,
    part: Part,
    /// Position up to which the history was read.
    after: Sequence,
    /// The file; `None` once its end was written.
    file: Option<ExportFile>,
    _permit: OwnedSemaphorePermit,
}

impl Export {
    /// Reads the next page and appends its text, and the file's end behind the last page.
    async fn page(&mut self, out: &mut String) -> Result<(), StoreError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let range = HistoryRange::After(self.after);
        let History { messages, more } = self.store.history(&self.room, range, PAGE).await?;
        for message in &messages {
            if is_of_stream(message, self.started_ms, self.part) {
                file.write(message, out);
            }
        }
        self.after = messages.last().map_or(self.after, |message| message.sequence);
        if (!more || messages.is_empty())
            && let Some(file) = self.file.take()
        {
            file.finish(out);
        }
        Ok(())
    }
}
