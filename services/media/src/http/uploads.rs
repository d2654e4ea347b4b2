//! `/v1/uploads/{upload}`: its offset, its state, its bytes and its end.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use barrage_http::ApiError;
use barrage_protocol::Code;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::caller::caller;
use super::receive::{PATCH_TYPE, Patch, has_bytes, patch, receive};
use super::tus;
use super::view::UploadView;
use crate::error::no_upload;
use crate::media::Media;
use crate::spool::Upload;
use crate::upload::{Stage, UploadId, number};

/// Finds an upload of the caller.
fn find(media: &Media, headers: &HeaderMap, id: &str) -> Result<Arc<Upload>, ApiError> {
    let by = caller(media, headers)?;
    let id = UploadId::parse(id).map_err(|_| no_upload())?;
    let upload = media.spool.find(id, &by.user).ok_or_else(no_upload)?;
    if upload.head.expires_ms <= barrage_clock::unix_ms() {
        return Err(ApiError::new(Code::UploadExpired, "the time of this upload is over; begin a new one"));
    }
    Ok(upload)
}

/// Answers where a client continues.
pub(super) async fn offset(
    State(media): State<Arc<Media>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = tus::check_version(&headers) {
        return refused;
    }
    let upload = match find(&media, &headers, &id) {
        Ok(upload) => upload,
        Err(refusal) => return refusal.into_response(),
    };
    let mut answer = StatusCode::OK.into_response();
    let fields = answer.headers_mut();
    fields.insert(tus::UPLOAD_OFFSET, HeaderValue::from(upload.received().bytes));
    match upload.stated() {
        Some(length) => fields.insert(tus::UPLOAD_LENGTH, HeaderValue::from(length)),
        None => fields.insert(tus::UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    fields.insert(tus::UPLOAD_EXPIRES, tus::http_date(upload.head.expires_ms));
    let metadata = Some(&upload.head.metadata.text).filter(|text| !text.is_empty());
    fields.extend(metadata.and_then(|text| Some((tus::UPLOAD_METADATA, HeaderValue::from_str(text).ok()?))));
    fields.extend(concat(&upload).map(|value| (tus::UPLOAD_CONCAT, value)));
    answer
}

/// Returns the field Upload-Concat, as the creation had it.
fn concat(upload: &Upload) -> Option<HeaderValue> {
    if upload.head.is_part {
        return Some(HeaderValue::from_static("partial"));
    }
    let urls: Vec<_> = upload.head.parts.iter().map(|part| format!("/v1/uploads/{part}")).collect();
    (!urls.is_empty()).then(|| HeaderValue::from_str(&format!("final;{}", urls.join(" "))).ok())?
}

/// Answers what became of an upload: its check, and the addresses of the medium.
pub(super) async fn show(
    State(media): State<Arc<Media>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<UploadView>, ApiError> {
    let upload = find(&media, &headers, &id)?;
    Ok(Json(UploadView::of(&media, &upload).await?))
}

/// Adds bytes at the end of an upload.
pub(super) async fn append(
    State(media): State<Arc<Media>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = tus::check_version(&headers) {
        return refused;
    }
    match try_append(&media, &headers, &id, body).await {
        Ok((upload, bytes)) => {
            let mut answer = StatusCode::NO_CONTENT.into_response();
            answer.headers_mut().insert(tus::UPLOAD_OFFSET, HeaderValue::from(bytes));
            answer.headers_mut().insert(tus::UPLOAD_EXPIRES, tus::http_date(upload.head.expires_ms));
            answer
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn try_append(
    media: &Arc<Media>,
    headers: &HeaderMap,
    id: &str,
    body: Body,
) -> Result<(Arc<Upload>, u64), ApiError> {
    let upload = find(media, headers, id)?;
    if !has_bytes(headers) {
        return Err(ApiError::new(
            Code::UnsupportedMedia,
            format!("send the bytes as Content-Type: {PATCH_TYPE}"),
        ));
    }
    let offset = number(headers, "upload-offset")?;
    let offset = offset.ok_or_else(|| ApiError::new(Code::BadRequest, "send the offset as Upload-Offset"))?;
    let patch = Patch { length: number(headers, "upload-length")?, ..patch(headers, offset, &body)? };
    // A task of its own: when the connection breaks, what has arrived is written still.
    let (owner, continued) = (Arc::clone(media), Arc::clone(&upload));
    let received = media.tasks.spawn(async move { receive(&owner, &continued, patch, body).await });
    let bytes = received.await.map_err(crate::error::disk)??;
    Ok((upload, bytes))
}

/// Takes the method that a client means whose network lets GET and POST through alone.
pub(super) async fn overridden(
    state: State<Arc<Media>>,
    path: Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match headers.get("x-http-method-override").map(HeaderValue::as_bytes) {
        Some(b"PATCH") => append(state, path, headers, body).await,
        Some(b"DELETE") => terminate(state, path, headers).await,
        Some(b"HEAD") => offset(state, path, headers).await,
        _ => barrage_http::error::method_not_allowed().await.into_response(),
    }
}

/// Ends an upload and removes its bytes. A medium that is in the store stays.
pub(super) async fn terminate(
    State(media): State<Arc<Media>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = tus::check_version(&headers) {
        return refused;
    }
    let upload = match find(&media, &headers, &id) {
        Ok(upload) => upload,
        Err(refusal) => return refusal.into_response(),
    };
    if matches!(upload.stage(), Stage::Ready { .. }) {
        return ApiError::new(Code::Conflict, "the upload is finished").into_response();
    }
    media.give_up(&upload).await;
    StatusCode::NO_CONTENT.into_response()
}
