//! The admin call that reads the audit log.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use barrage_http::ApiError;
use barrage_protocol::Code;
use serde::Deserialize;
use serde_json::json;

use super::context::{AdminContext, Answer, Timed, page_limit, read_query};
use crate::room::parse_room_id;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    room: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// Lists lines of the audit log, newest first.
pub(super) async fn list(
    State(admin): State<Arc<AdminContext>>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Answer {
    let AuditQuery { room, before, limit } = read_query(query)?;
    let room = room.as_deref().map(parse_room_id).transpose()?;
    let limit = page_limit(limit)?;
    let lines = admin.store.audit(room.as_ref(), before, limit).await.map_err(|error| {
        tracing::warn!(%error, "the audit log cannot be read");
        ApiError::new(Code::Unavailable, "the audit log cannot be read now").retry_after_ms(1_000)
    })?;
    let next_before = (lines.len() == limit).then(|| lines.last().map(|line| line.id)).flatten();
    let lines: Vec<_> = lines.iter().map(|line| Timed::new(line.record.at_ms, line)).collect();
    Ok(Json(json!({ "lines": lines, "next_before": next_before })))
}
