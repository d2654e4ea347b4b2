//! `GET /v1/media/{digest}/{variant}`: the bytes of a medium, or a range of them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_blob::Pieces;
use barrage_http::ApiError;
use barrage_protocol::{Code, Digest};
use barrage_token::{AddressQuery, SignedPath, Visibility};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::cover;
use crate::deliver::{Conditions, Described, Wanted, describe, wanted};
use crate::error::store;
use crate::media::Media;
use crate::metrics::Delivery;
use crate::record::{MediaRecord, Variant};

/// Answers with a variant of a medium, to whoever has its address.
pub(super) async fn handle(
    State(media): State<Arc<Media>>,
    Path((digest, variant)): Path<(String, String)>,
    query: Result<Query<AddressQuery>, QueryRejection>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let found = find(&media, &digest, &variant, query).await;
    let (record, variant, visibility) = match found {
        Ok(found) => found,
        Err((refusal, delivery)) => {
            media.metrics.delivered(delivery);
            return refusal.into_response();
        }
    };
    answer(&media, &record, &variant, visibility, &method, &headers).await.unwrap_or_else(|refusal| {
        media.metrics.delivered(Delivery::Missing);
        refusal.into_response()
    })
}

/// Checks the address, and finds what it names.
async fn find(
    media: &Media,
    digest: &str,
    variant: &str,
    query: Result<Query<AddressQuery>, QueryRejection>,
) -> Result<(Arc<MediaRecord>, Variant, Visibility), (ApiError, Delivery)> {
    let refused = |refusal: ApiError| (refusal, Delivery::Refused);
    let missing = || (ApiError::new(Code::NotFound, "there is no such medium"), Delivery::Missing);
    let Query(query) = query
        .map_err(|_| refused(ApiError::new(Code::Forbidden, "an address has the parameters e, k and s")))?;
    let digest =
        Digest::parse(digest).map_err(|error| refused(ApiError::new(Code::BadRequest, error.to_string())))?;
    let path = SignedPath { digest, variant };
    let visibility = media.addresses.check(path, &query, barrage_clock::unix_ms() / 1_000);
    let visibility = visibility.map_err(|refusal| refused(refusal.into()))?;
    media.refuse_denied(digest).map_err(refused)?;
    let record = media.record(digest).await.map_err(|refusal| (refusal, Delivery::Missing))?;
    let record = record.ok_or_else(missing)?;
    let found = match record.variants.iter().find(|found| found.name == variant) {
        Some(found) => Some(found.clone()),
        None => cover::find(media, digest, variant).await.map_err(|refusal| (refusal, Delivery::Missing))?,
    };
    let variant = found.ok_or_else(missing)?;
    Ok((record, variant, visibility))
}

/// Answers with a form of a medium, or a range of it.
pub(super) async fn answer(
    media: &Arc<Media>,
    record: &MediaRecord,
    variant: &Variant,
    visibility: Visibility,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let etag = format!("\"{}\"", variant.etag);
    let (length, name) = (variant.length, record.file_name(variant));
    let fields = describe(Described {
        media_type: &variant.media_type,
        etag: &etag,
        visibility,
        is_shown: record.kind.is_shown(),
        file_name: &name,
    });
    let (status, range, delivery) = match wanted(Conditions::read(headers), &etag, length) {
        Wanted::NotModified => (StatusCode::NOT_MODIFIED, None, Delivery::NotModified),
        Wanted::Whole => (StatusCode::OK, Some(0..length), Delivery::Whole),
        Wanted::Range(range) => (StatusCode::PARTIAL_CONTENT, Some(range), Delivery::Range),
        Wanted::OutOfRange => {
            media.metrics.delivered(Delivery::Refused);
            return Ok(out_of_range(length));
        }
    };
    let mut answer = status.into_response();
    answer.headers_mut().extend(fields);
    if let Some(range) = range {
        let bytes = range.end - range.start;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
        if delivery == Delivery::Range {
            let text = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            headers.extend(HeaderValue::from_str(&text).ok().map(|value| (header::CONTENT_RANGE, value)));
        }
        if method != Method::HEAD {
            let name = Media::blob(record.digest, &variant.name)?;
            let read = media.blobs.read(&name, range).await.map_err(store)?;
            let pieces = read.ok_or_else(|| ApiError::new(Code::NotFound, "the medium was removed"))?;
            *answer.body_mut() = body(Arc::clone(media), pieces);
        }
    }
    media.metrics.delivered(delivery);
    Ok(answer)
}

/// Returns a body of pieces, each read when the connection has room for it.
fn body(media: Arc<Media>, pieces: Pieces) -> Body {
    let stream = stream::unfold((media, pieces), |(media, mut pieces)| async move {
        let piece: Result<Bytes, barrage_blob::BlobError> = pieces.next().await?;
        match &piece {
            Ok(piece) => media.metrics.sent_bytes.inc_by(piece.len() as u64),
            // The connection breaks off, so that the client sees that bytes are missing.
            Err(error) => tracing::warn!(%error, "a medium could not be read to its end"),
        }
        Some((piece, (media, pieces)))
    });
    Body::from_stream(stream)
}

fn out_of_range(length: u64) -> Response {
    let message = format!("the medium has {length} bytes, and no byte of the range");
    let mut answer = ApiError::new(Code::BadRequest, message).into_response();
    *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    let range = HeaderValue::from_str(&format!("bytes */{length}"));
    answer.headers_mut().extend(range.ok().map(|value| (header::CONTENT_RANGE, value)));
    answer
}
