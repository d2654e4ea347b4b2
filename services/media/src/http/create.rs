//! `POST /v1/uploads`: a new upload, a part of one, or the join of parts.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::{Code, UserId};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::caller::{caller, check_visibility};
use super::receive::{finish, has_bytes, patch, receive};
use super::tus;
use crate::error::{disk, no_upload};
use crate::media::Media;
use crate::metrics::Created;
use crate::spool::{NoRoom, Upload};
use crate::upload::{Concat, Creation, Stage, UploadHead, UploadId, creation};

/// Milliseconds after which a client may try again when the process has no room.
const NO_ROOM_RETRY_MS: u64 = 60_000;

/// Creates an upload, and answers with its URL. The first bytes may come with the creation.
pub(super) async fn handle(
    State(media): State<Arc<Media>>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = tus::check_version(&headers) {
        return refused;
    }
    match create(&media, client, &headers).await {
        Ok((upload, kind)) => {
            media.metrics.created(kind);
            let offset = match first_bytes(&media, &upload, kind, &headers, body).await {
                Ok(offset) => offset,
                Err(refusal) => return refusal.into_response(),
            };
            let mut answer = StatusCode::CREATED.into_response();
            let location = media.url(&format!("/v1/uploads/{}", upload.head.id));
            let fields = answer.headers_mut();
            fields.extend(HeaderValue::from_str(&location).ok().map(|url| (header::LOCATION, url)));
            fields.insert(tus::UPLOAD_EXPIRES, tus::http_date(upload.head.expires_ms));
            fields.extend(offset.map(|offset| (tus::UPLOAD_OFFSET, HeaderValue::from(offset))));
            answer
        }
        Err(refusal) => {
            media.metrics.created(Created::Refused);
            refusal.into_response()
        }
    }
}

/// Takes the bytes that came with a creation. Returns where the client continues; `None` when none came. The upload is
/// there, so that only bytes that can never be right refuse the request.
async fn first_bytes(
    media: &Arc<Media>,
    upload: &Arc<Upload>,
    kind: Created,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<u64>, ApiError> {
    if kind == Created::Joined || !has_bytes(headers) {
        return Ok(None);
    }
    let taken = match patch(headers, 0, &body) {
        Ok(patch) => {
            let (owner, created) = (Arc::clone(media), Arc::clone(upload));
            let received = media.tasks.spawn(async move { receive(&owner, &created, patch, body).await });
            received.await.map_err(disk)?
        }
        Err(refusal) => Err(refusal),
    };
    match taken {
        Err(refusal) if refusal.0.code == Code::DigestMismatch => Err(refusal),
        _ => Ok(Some(upload.received().bytes)),
    }
}

async fn create(
    media: &Arc<Media>,
    client: ClientAddr,
    headers: &HeaderMap,
) -> Result<(Arc<Upload>, Created), ApiError> {
    let by = caller(media, headers)?;
    let wanted = creation(headers, media.config.upload_bytes_max)?;
    check_visibility(&by, wanted.metadata.visibility)?;
    if let Some(digest) = wanted.metadata.digest {
        media.refuse_denied(digest)?;
    }
    if let Concat::Final(parts) = &wanted.concat {
        let joined = join(media, by.user, parts, &wanted).await?;
        return Ok((joined, Created::Joined));
    }
    let kind = if wanted.concat == Concat::Part { Created::Part } else { Created::Whole };
    let id = UploadId::new(rand::random());
    let mut head = head(media, id, by.user, wanted.length, Vec::new(), &wanted);
    head.address = Some(client.0);
    media.quotas.take(&head.user, client.0, head.length).await?;
    let counted = head.clone();
    let upload = match admit(media, head) {
        Ok(upload) => upload,
        Err(refusal) => {
            media.give_back(&counted, counted.length, 0).await;
            return Err(refusal);
        }
    };
    let (spool, created) = (Arc::clone(&media.spool), Arc::clone(&upload));
    let written = tokio::task::spawn_blocking(move || spool.create(&created)).await;
    match written.map_err(std::io::Error::other).and_then(|result| result) {
        Ok(()) => Ok((upload, kind)),
        Err(error) => {
            media.give_up(&upload).await;
            Err(disk(error))
        }
    }
}

fn head(
    media: &Media,
    id: UploadId,
    user: UserId,
    length: u64,
    parts: Vec<UploadId>,
    wanted: &Creation,
) -> UploadHead {
    let created_ms = barrage_clock::unix_ms();
    UploadHead {
        id,
        user,
        length,
        is_deferred: wanted.is_deferred,
        metadata: wanted.metadata.clone(),
        is_part: wanted.concat == Concat::Part,
        parts,
        created_ms,
        address: None,
        expires_ms: created_ms + media.config.upload_secs * 1_000,
    }
}

fn admit(media: &Media, head: UploadHead) -> Result<Arc<Upload>, ApiError> {
    let id = head.id;
    let admitted = media.spool.admit(head).map_err(|bound| match bound {
        NoRoom::OfUser => {
            let max = media.config.user_open_max;
            let message =
                format!("you have {max} unfinished uploads, which is all that media.user_open_max admits");
            ApiError::new(Code::RateLimited, message)
        }
        NoRoom::Bytes | NoRoom::Uploads => ApiError::new(
            Code::Overloaded,
            "this process has no room for another upload; try again or elsewhere",
        ),
    });
    if admitted.is_err() {
        tracing::debug!(%id, "no room for an upload");
    }
    admitted.map_err(|refusal| refusal.retry_after_ms(NO_ROOM_RETRY_MS))
}

/// Joins parts of the user. The same parts are the same upload, however often the join is asked for.
async fn join(
    media: &Arc<Media>,
    user: UserId,
    parts: &[UploadId],
    wanted: &Creation,
) -> Result<Arc<Upload>, ApiError> {
    let id = joined_id(parts);
    if let Some(joined) = media.spool.find(id, &user) {
        return Ok(joined);
    }
    let (mut length, mut counted_ms, mut address) = (0_u64, u64::MAX, None);
    for part in parts {
        let part = media.spool.find(*part, &user).ok_or_else(no_upload)?;
        if !part.head.is_part || part.stage() != Stage::Whole {
            let message = format!("{} is no part with all its bytes; finish it first", part.head.id);
            return Err(ApiError::new(Code::Conflict, message));
        }
        length = length.saturating_add(part.head.length);
        counted_ms = counted_ms.min(part.head.created_ms);
        address = address.or(part.head.address);
    }
    let bytes_max = media.config.upload_bytes_max;
    if length > bytes_max {
        let message =
            format!("an upload may have {bytes_max} bytes (media.upload_bytes_max); the parts have {length}");
        return Err(ApiError::new(Code::TooLarge, message));
    }
    let head = head(media, id, user.clone(), length, parts.to_vec(), wanted);
    // The bytes were counted with the parts, and come back with the joined upload.
    let upload = admit(media, UploadHead { created_ms: counted_ms, address, ..head })?;
    // Goes on when the client gives up meanwhile: it will ask again, and find the upload.
    let (owner, joining) = (Arc::clone(media), Arc::clone(&upload));
    let joined = tokio::spawn(async move { copy(&owner, &joining).await }).await;
    let joined = joined.unwrap_or_else(|error| Err(disk(error)));
    if let Err(refusal) = joined {
        if upload.stage() == Stage::Receiving {
            media.forget(&upload).await;
        }
        return Err(refusal);
    }
    for part in parts {
        if let Some(part) = media.spool.find(*part, &user) {
            media.forget(&part).await;
        }
    }
    Ok(upload)
}

async fn copy(media: &Arc<Media>, upload: &Arc<Upload>) -> Result<(), ApiError> {
    let Some(turn) = upload.turn().await else { return Err(no_upload()) };
    let (spool, joining) = (Arc::clone(&media.spool), Arc::clone(upload));
    let file = tokio::task::spawn_blocking(move || {
        spool.create(&joining)?;
        spool.join(&joining)
    });
    let file = file.await.map_err(disk)?.map_err(disk)?;
    upload.set_received(file.progress().bytes);
    finish(media, upload, file, turn).await
}

fn joined_id(parts: &[UploadId]) -> UploadId {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part.as_bytes()));
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    UploadId::new(id)
}
