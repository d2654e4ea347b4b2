//! The admin call that reads the audit log.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use barrage_http::ApiError;
use barrage_protocol::{Code, UserId};
use barrage_store::{AuditFilter, AuditLine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{AdminContext, Answer, Timed, page_limit, read_query};
use crate::room::parse_room_id;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Lists the lines of this room alone.
    #[schemars(with = "Option<barrage_protocol::RoomId>")]
    room: Option<String>,
    /// Lists the lines that concern this user alone.
    user: Option<UserId>,
    /// Lists the lines of this actor alone: the user of an admin token, or the name of a moderation rule.
    actor: Option<String>,
    /// Lists the lines of this action alone, such as `mute` or `switch`.
    action: Option<String>,
    /// Lists lines with a smaller id: `next_before` of the page before.
    before: Option<u64>,
    /// Lines of a page, 1 to 1,000; 100 when absent.
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<usize>,
}

/// A page of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuditPage {
    /// Lines of the log, newest first.
    lines: Vec<Timed<AuditLine>>,
    /// Value of `before` for the next page; absent or null on the last page.
    next_before: Option<u64>,
}

/// Lists the lines of the audit log that meet the query, newest first.
pub(super) async fn list(
    State(admin): State<Arc<AdminContext>>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Answer<AuditPage> {
    let AuditQuery { room, user, actor, action, before, limit } = read_query(query)?;
    let room = room.as_deref().map(parse_room_id).transpose()?;
    let limit = page_limit(limit)?;
    let filter = AuditFilter {
        room: room.as_ref(),
        user: user.as_ref(),
        actor: actor.as_deref(),
        action: action.as_deref(),
    };
    let lines = admin.store.audit(filter, before, limit).await.map_err(|error| {
        tracing::warn!(%error, "the audit log cannot be read");
        ApiError::new(Code::Unavailable, "the audit log cannot be read now").retry_after_ms(1_000)
    })?;
    let next_before = (lines.len() == limit).then(|| lines.last().map(|line| line.id)).flatten();
    let lines = lines.into_iter().map(|line| Timed::new(line.record.at_ms, line)).collect();
    Ok(Json(AuditPage { lines, next_before }))
}
