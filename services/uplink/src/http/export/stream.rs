//! The answer with an export: pages of the store in bounded memory, at the pace of the reader.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::code::Refusal;
use barrage_protocol::post::History;
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_store::StoreError;
use barrage_token::Identity;
use bytes::Bytes;
use futures_util::stream;
use http::header;

use super::file::{ExportFile, is_behind, is_of_stream};
use super::{ExportFormat, Part};
use crate::export_slots::ExportSlot;
use crate::history::{Span, View};
use crate::http::history_access::may_read;
use crate::uplink::Uplink;

/// Messages that one export holds at a time: some 100 KB, and 1 MB with the largest events.
const PAGE: usize = 200;
/// Messages before the first one of the stream that are read as well: the clocks of two uplinks differ,
/// so that a message of a larger offset may have a smaller sequence.
const MARGIN: u64 = 1_000;
/// Milliseconds beyond the end of a part after which no message of the part is expected: the clocks of
/// uplinks differ by less.
const SKEW_MS: u64 = 60_000;
/// Longest time of one export: the file of a day, over a slow line. A reader that takes longer is cut off.
const DURATION_MAX: Duration = Duration::from_secs(3_600);

/// The reader of an export.
#[derive(Debug)]
pub(in crate::http) enum Reader {
    /// A viewer, with the identity when the request has a token.
    Viewer(ClientAddr, Option<Identity>),
    /// An operator, who also reads what viewers do not see yet.
    Admin,
}

impl Reader {
    /// Checks what may change while an export is written: the room, the reader's restrictions and the
    /// switches.
    fn check(&self, uplink: &Uplink, room: &RoomId) -> Result<(), ApiError> {
        let settings = uplink.bus.settings().borrow().clone();
        match self {
            Reader::Viewer(_, caller) => may_read(uplink, &settings, room, caller.as_ref()),
            Reader::Admin if settings.rooms.contains_key(room) => Ok(()),
            Reader::Admin => Err(ApiError::new(Code::UnknownRoom, "there is no such room")),
        }
    }

    fn slot(&self, uplink: &Uplink) -> Result<ExportSlot, ApiError> {
        match self {
            Reader::Viewer(client, _) => uplink.exports.of_viewer(*client),
            Reader::Admin => uplink.exports.of_admin(),
        }
    }
}

/// Makes the answer. The first page is read before it begins: a store that fails is a refusal. One
/// that fails later ends the connection, so that a file that is cut off is never taken for a whole one.
/// So does a reader who may not read any more.
pub(in crate::http) async fn answer(
    uplink: &Arc<Uplink>,
    room: &RoomId,
    format: ExportFormat,
    part: Part,
    reader: Reader,
) -> Result<Response, ApiError> {
    reader.check(uplink, room)?;
    let slot = reader.slot(uplink)?;
    let store = Arc::clone(&uplink.store);
    let first = store.history_by_offset(room, part.from_ms, i64::MAX as u64, 1).await;
    let first = first.map_err(|error| unavailable(&error))?.messages.into_iter().next();
    // The start that the archive counts from. A room without one counts from its first message.
    let archived = store.room(room).await.map_err(|error| unavailable(&error))?;
    let of_first = first.as_ref().map_or(0, |message| message.at_ms.saturating_sub(message.offset_ms));
    let started_ms = archived.map_or(of_first, |room| room.stream_started_at_ms);
    let mut text = String::new();
    let mut file = Some(ExportFile::new(format, &mut text));
    // Without a first message there is nothing to look for among older streams.
    let after = match &first {
        Some(first) => Sequence(first.sequence.0.saturating_sub(MARGIN)),
        None => {
            file.take().expect("the file has just begun").finish(&mut text);
            Sequence::ZERO
        }
    };
    let (uplink, room, began) = (Arc::clone(uplink), room.clone(), barrage_clock::now());
    let name = format!("attachment; filename=\"{room}.{}\"", format.extension());
    let mut export = Export { uplink, reader, room, started_ms, part, after, file, began, _slot: slot };
    export.page(&mut text).await?;
    let pages = stream::try_unfold((export, text), |(mut export, mut text)| async move {
        while text.is_empty() {
            if export.file.is_none() {
                return Ok(None);
            }
            export.next(&mut text).await.inspect_err(|error| {
                tracing::warn!(%error, "an export ended early");
            })?;
        }
        Ok::<_, io::Error>(Some((Bytes::from(text), (export, String::new()))))
    });
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

/// An export in progress. The slot is returned when the export is dropped.
struct Export {
    uplink: Arc<Uplink>,
    reader: Reader,
    room: RoomId,
    started_ms: u64,
    part: Part,
    /// Position up to which the history was read.
    after: Sequence,
    /// The file; `None` once its end was written.
    file: Option<ExportFile>,
    began: Instant,
    _slot: ExportSlot,
}

impl Export {
    /// Reads the next page for a reader who may still read, within the time of an export.
    async fn next(&mut self, out: &mut String) -> Result<(), io::Error> {
        if self.began.elapsed() > DURATION_MAX {
            return Err(io::Error::other("it took too long"));
        }
        self.reader
            .check(&self.uplink, &self.room)
            .map_err(|error| io::Error::other(error.0.code.label()))?;
        self.page(out).await.map_err(|refusal| io::Error::other(refusal.message))
    }

    /// Reads the next page and appends its text, and the file's end behind the last page.
    async fn page(&mut self, out: &mut String) -> Result<(), Refusal> {
        let Some(file) = &mut self.file else { return Ok(()) };
        // What viewers do not see yet is not of the part.
        let read = self.uplink.history.read(&self.room, View::Staff, Span::After(self.after), PAGE);
        let History { messages, more } = read.await?;
        for message in &messages {
            if is_of_stream(message, self.started_ms, self.part) {
                file.write(message, out);
            }
        }
        self.after = messages.last().map_or(self.after, |message| message.sequence);
        let is_over = messages.iter().any(|message| is_behind(message, self.started_ms, self.part, SKEW_MS));
        if (!more || messages.is_empty() || is_over)
            && let Some(file) = self.file.take()
        {
            file.finish(out);
        }
        Ok(())
    }
}
