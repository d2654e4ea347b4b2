//! What was said before, out of the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use barrage_http::ApiError;
use barrage_protocol::post::History;
use barrage_protocol::{Code, Sequence};
use barrage_store::{HISTORY_LIMIT_MAX, HistoryRange};
use http::HeaderMap;
use serde::Deserialize;

use crate::access;
use crate::routes::Uplink;

const LIMIT_DEFAULT: usize = 100;
/// When to come back while history is switched off.
const SWITCHED_OFF_RETRY_MS: u64 = 30_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    after: Option<u64>,
    before: Option<u64>,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
    limit: Option<usize>,
}

pub(crate) async fn handle(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    query: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<History>, ApiError> {
    let Query(asked) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = access::room_id(&room)?;
    if barrage_http::bearer(&headers).is_some() || !uplink.anonymous {
        access::caller(&uplink.keyring, &headers, &room)?;
    }
    if !uplink.bus.settings().borrow().rooms.contains_key(&room) {
        return Err(ApiError::new(Code::UnknownRoom, "there is no such room"));
    }
    if uplink.bus.settings().borrow().switches.history_off {
        let error = ApiError::new(Code::Unavailable, "history is switched off just now");
        return Err(error.retry_after_ms(SWITCHED_OFF_RETRY_MS));
    }
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {HISTORY_LIMIT_MAX}")));
    }
    let read = match asked {
        Asked { from_ms: Some(from_ms), to_ms: Some(to_ms), after: None, before: None, .. }
            if from_ms < to_ms =>
        {
            uplink.store.history_by_offset(&room, from_ms, to_ms, limit).await
        }
        Asked { from_ms: None, to_ms: None, after, before, .. } => {
            let range = match (after, before) {
                (Some(_), Some(_)) => {
                    return Err(ApiError::new(Code::BadRequest, "give `after` or `before`, not both"));
                }
                (Some(after), None) => HistoryRange::After(Sequence(after)),
                (None, Some(before)) => HistoryRange::Before(Sequence(before)),
                (None, None) => HistoryRange::Latest,
            };
            uplink.store.history(&room, range, limit).await
        }
        _ => {
            return Err(ApiError::new(
                Code::BadRequest,
                "give both `from_ms` and `to_ms`, in this order, alone",
            ));
        }
    };
    read.map(Json).map_err(|error| {
        tracing::warn!(%error, "history could not be read");
        ApiError::new(Code::Unavailable, "history cannot be read now").retry_after_ms(1_000)
    })
}
