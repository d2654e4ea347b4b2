//! The bytes of one PATCH, from the connection to the spool.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use barrage_http::ApiError;
use barrage_protocol::{Code, Digest};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;

use crate::error::disk;
use crate::media::Media;
use crate::metrics::StreamEnd;
use crate::spool::{Progress, SpoolFile, Syncing, Turn, Upload};
use crate::upload::{Checksum, Pace, RateFloor, Received, Running, Stage, StreamKind, check_patch, number};

/// Bytes that are gathered before they are written: as many as a connection reads at once. Larger pieces are quicker
/// by a fifth, but then an upload that waits holds more than 64 KB.
const GATHER_BYTES: usize = 16 * 1024;
/// Bytes that are written as they come: gathering them would copy them, and take memory for the copy.
const DIRECT_BYTES: usize = GATHER_BYTES / 4;
/// Time without bytes after which an upload rests: it has no memory for bytes then.
const REST: Duration = Duration::from_secs(1);
/// Milliseconds after which a client that was cut may go on.
const RESUME_MS: u64 = 1_000;

/// What one request asks for.
#[derive(Debug)]
pub(super) struct Patch {
    pub(super) offset: u64,
    /// Length of the body, if the request states it.
    pub(super) body_bytes: Option<u64>,
    /// Length of the whole upload, if the request states it.
    pub(super) length: Option<u64>,
    pub(super) checksum: Option<Checksum>,
}

/// Media type of bytes of an upload.
pub(super) const PATCH_TYPE: &str = "application/offset+octet-stream";

/// Whether the body of a request is bytes of an upload.
pub(super) fn has_bytes(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes() == PATCH_TYPE.as_bytes())
}

/// Reads what a request with bytes asks for.
pub(super) fn patch(headers: &HeaderMap, offset: u64, body: &Body) -> Result<Patch, ApiError> {
    let stated = number(headers, "content-length")?;
    let body_bytes = stated.or_else(|| HttpBody::size_hint(body).exact());
    Ok(Patch { offset, body_bytes, length: None, checksum: Checksum::read(headers)? })
}

/// Adds the body of a request to an upload. Returns the bytes that the upload has then.
pub(super) async fn receive(
    media: &Arc<Media>,
    upload: &Arc<Upload>,
    patch: Patch,
    body: Body,
) -> Result<u64, ApiError> {
    let received = upload.received();
    if received.has_all {
        // No turn: it would end the check.
        check_patch(&upload.head, upload.length(), received, patch.offset, patch.body_bytes)?;
        return Ok(received.bytes);
    }
    // The turn comes before the place: it ends the older request of the same upload, which frees its stream.
    let Some(turn) = upload.turn().await else { return Err(overtaken()) };
    let received = upload.received();
    check_patch(&upload.head, upload.length(), received, patch.offset, patch.body_bytes)?;
    if let Some(length) = patch.length.filter(|_| !received.has_all) {
        media.state_length(upload, received, length).await?;
    }
    let left = check_patch(&upload.head, upload.length(), received, patch.offset, patch.body_bytes)?;
    if received.has_all {
        return Ok(received.bytes);
    }
    let kind = if upload.head.is_part { StreamKind::Part } else { StreamKind::Whole };
    let permit = media.streams.take(&upload.head.user, kind).map_err(|max| {
        let message =
            format!("{max} of your uploads receive bytes now, which is all that is admitted at once");
        ApiError::new(Code::RateLimited, message).retry_after_ms(RESUME_MS)
    })?;
    let file = open(media, upload).await?;
    // A crash of the disk's side may have taken bytes since; the mark decides.
    let on_disk = Received { bytes: file.progress().bytes, has_all: false };
    upload.set_received(on_disk.bytes);
    check_patch(&upload.head, upload.length(), on_disk, patch.offset, patch.body_bytes)?;
    let mut writer = Writer::new(media, upload, file, patch.checksum);
    let end = writer.fill(body, left, &turn).await;
    let (end, file) = writer.close(end).await?;
    drop(permit);
    media.metrics.streamed(end);
    let bytes = file.progress().bytes;
    upload.set_received(bytes);
    match end {
        StreamEnd::Complete if upload.stated() == Some(bytes) => finish(media, upload, file, turn).await?,
        StreamEnd::Complete => {}
        end => return Err(refused(end)),
    }
    Ok(bytes)
}

async fn open(media: &Media, upload: &Arc<Upload>) -> Result<SpoolFile, ApiError> {
    let (spool, opened) = (Arc::clone(&media.spool), Arc::clone(upload));
    tokio::task::spawn_blocking(move || spool.file(&opened)).await.map_err(disk)?.map_err(disk)
}

/// Ends uploads that had all their bytes when an earlier process crashed.
pub(crate) async fn end_whole(media: &Arc<Media>) {
    for upload in media.spool.unended() {
        let Some(turn) = upload.turn().await else { continue };
        let ended = match open(media, &upload).await {
            Ok(file) => finish(media, &upload, file, turn).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = ended {
            tracing::info!(upload = %upload.head.id, why = refusal.0.message, "an upload ended after a restart");
        }
    }
}

/// Ends an upload that has all its bytes: compares the digest, and hands a whole upload to the check.
pub(super) async fn finish(
    media: &Arc<Media>,
    upload: &Arc<Upload>,
    file: SpoolFile,
    turn: Turn,
) -> Result<(), ApiError> {
    use sha2::Digest as _;
    let digest = Digest::new(file.progress().hash.clone().finalize().into());
    drop(file);
    let declared = upload.head.metadata.digest.filter(|_| !upload.head.is_part);
    if declared.is_some_and(|declared| declared != digest) {
        let message =
            format!("the bytes have the SHA-256 {digest}, not the declared one; begin a new upload");
        let refusal = ApiError::new(Code::DigestMismatch, message);
        media.refuse(upload, refusal.0.clone()).await?;
        return Err(refusal);
    }
    let stage = if upload.head.is_part { Stage::Whole } else { Stage::Checking { digest } };
    media.set_stage(upload, stage).await?;
    drop(turn);
    media.wake_check();
    Ok(())
}

/// The bytes on their way to the file, and what is checked about them.
struct Writer<'a> {
    media: &'a Media,
    upload: &'a Upload,
    /// `None` after a failure of the disk.
    file: Option<SpoolFile>,
    gathered: BytesMut,
    /// The hash of the body, where the request has one.
    checked: Option<(Checksum, Running)>,
    before: Progress,
}

impl<'a> Writer<'a> {
    fn new(media: &'a Media, upload: &'a Upload, file: SpoolFile, checksum: Option<Checksum>) -> Self {
        let checked = checksum.map(|checksum| {
            let running = Running::new(checksum.algorithm);
            (checksum, running)
        });
        let before = file.progress().clone();
        Writer { media, upload, file: Some(file), gathered: BytesMut::new(), checked, before }
    }

    /// Reads the body to its end, or to the first reason to stop.
    async fn fill(&mut self, mut body: Body, mut left: u64, turn: &Turn) -> StreamEnd {
        let (config, started) = (&self.media.config, barrage_clock::now());
        let window = Duration::from_secs(config.rate_secs);
        let mut floor = RateFloor::new(config.rate_bytes_per_s_min, window, Duration::ZERO);
        let mut until = window;
        loop {
            let wait = if self.gathered.capacity() == 0 { until } else { until.min(REST) };
            let frame = tokio::select! {
                biased;
                () = turn.overtaken.cancelled() => return StreamEnd::Overtaken,
                () = self.media.shutdown.cancelled() => return StreamEnd::Draining,
                frame = tokio::time::timeout(wait, body.frame()) => frame,
            };
            let bytes = match frame {
                Err(_) => {
                    if self.rest().await.is_err() {
                        return StreamEnd::Failed;
                    }
                    Bytes::new()
                }
                Ok(None) => return StreamEnd::Complete,
                Ok(Some(Err(_))) => return StreamEnd::Cut,
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            };
            match floor.count(bytes.len() as u64, started.elapsed()) {
                Pace::Enough { until: next } => until = next,
                Pace::TooSlow => return StreamEnd::TooSlow,
            }
            let Some(rest) = left.checked_sub(bytes.len() as u64) else { return StreamEnd::Cut };
            left = rest;
            if self.take(bytes).await.is_err() {
                return StreamEnd::Failed;
            }
        }
    }

    /// Takes bytes of the body, and writes them when they are enough.
    async fn take(&mut self, mut bytes: Bytes) -> Result<(), ApiError> {
        while !bytes.is_empty() {
            if self.gathered.is_empty() && bytes.len() >= DIRECT_BYTES {
                return self.append(bytes).await.map(drop);
            }
            if self.gathered.capacity() == 0 {
                self.gathered.reserve(GATHER_BYTES);
            }
            let room = GATHER_BYTES - self.gathered.len();
            let part = bytes.split_to(room.min(bytes.len()));
            self.gathered.extend_from_slice(&part);
            if self.gathered.len() == GATHER_BYTES {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Writes what was gathered and gives its memory back: nothing came for a while.
    async fn rest(&mut self) -> Result<(), ApiError> {
        self.write().await?;
        self.gathered = BytesMut::new();
        Ok(())
    }

    /// Writes what was gathered, and keeps the memory for what comes.
    async fn write(&mut self) -> Result<(), ApiError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        self.gathered = self.append(gathered).await?;
        self.gathered.clear();
        Ok(())
    }

    /// Appends a piece to the file, and gives it back.
    async fn append<P: AsRef<[u8]> + Send + 'static>(&mut self, piece: P) -> Result<P, ApiError> {
        let bytes = piece.as_ref();
        if let Some((_, running)) = &mut self.checked {
            running.update(bytes);
        }
        let syncing = if self.checked.is_some() { Syncing::AtTheEnd } else { Syncing::AsTheyCome };
        self.media.metrics.received_bytes.inc_by(bytes.len() as u64);
        let piece = self.blocking(move |file| file.append(piece.as_ref(), syncing).map(|()| piece)).await?;
        if let (None, Some(file)) = (&self.checked, &self.file) {
            self.upload.set_received(file.progress().bytes);
        }
        Ok(piece)
    }

    /// Writes the rest, takes bytes back whose hash is wrong or not known, and syncs.
    async fn close(mut self, end: StreamEnd) -> Result<(StreamEnd, SpoolFile), ApiError> {
        self.write().await?;
        let is_whole = end == StreamEnd::Complete;
        let agrees =
            self.checked.take().is_none_or(|(checksum, running)| is_whole && running.agrees(&checksum));
        let end = if is_whole && !agrees { StreamEnd::Mismatch } else { end };
        if !agrees {
            let before = self.before.clone();
            self.blocking(move |file| file.take_back(before)).await?;
        }
        self.blocking(SpoolFile::sync).await?;
        let file = self.file.take().ok_or_else(|| disk("the file of the upload is gone"))?;
        Ok((end, file))
    }

    /// Runs work on the file where it may block.
    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut SpoolFile) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let mut file = self.file.take().ok_or_else(|| disk("the file of the upload is gone"))?;
        let ran = tokio::task::spawn_blocking(move || {
            let result = work(&mut file);
            (file, result)
        });
        let (file, result) = ran.await.map_err(disk)?;
        if result.is_ok() {
            self.file = Some(file);
        }
        result.map_err(disk)
    }
}

fn overtaken() -> ApiError {
    ApiError::new(Code::Conflict, "a newer request continues this upload").retry_after_ms(RESUME_MS)
}

/// Returns the answer to a request that did not end well. What has arrived of it is kept.
fn refused(end: StreamEnd) -> ApiError {
    match end {
        StreamEnd::Overtaken => overtaken(),
        StreamEnd::Mismatch => {
            ApiError::new(Code::DigestMismatch, "the body differs from Upload-Checksum; send it again")
        }
        StreamEnd::TooSlow => {
            let message = "the body arrives too slowly (media.rate_bytes_per_s_min); resume the upload later";
            ApiError::new(Code::Timeout, message).retry_after_ms(RESUME_MS)
        }
        StreamEnd::Draining => {
            ApiError::new(Code::Draining, "this process stops; resume the upload").retry_after_ms(RESUME_MS)
        }
        StreamEnd::Failed => disk("an upload could not be written"),
        StreamEnd::Cut | StreamEnd::Complete => ApiError::new(
            Code::BadRequest,
            "the body ended early or is longer than the upload; ask for the offset",
        ),
    }
}
