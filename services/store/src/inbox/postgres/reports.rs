//! Reports, written beside the lanes: they change no inbox.

use sqlx::{AssertSqlSafe, PgPool};

use crate::inbox::codes::{int, uint};
use crate::inbox::error::InboxError;
use crate::inbox::parse;
use crate::inbox::reports::{NewReport, ReportRecord};
use crate::inbox::store::AWAY_ROWS_MAX;

/// Adds a report unless the reporter has an open one about the user in the conversation. Returns its id and
/// whether it is new.
pub(super) async fn add(pool: &PgPool, report: &NewReport) -> Result<(u64, bool), InboxError> {
    let added = sqlx::query_scalar::<_, i64>(
        "INSERT INTO inbox_reports (at_ms, reporter, target, conversation, reason, evidence)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (reporter, target, conversation) WHERE closed_at_ms IS NULL DO NOTHING RETURNING id",
    );
    let added = added
        .bind(int(report.at_ms))
        .bind(report.reporter.as_str())
        .bind(report.target.as_str())
        .bind(report.conversation.as_str())
        .bind(&report.reason)
        .bind(&report.evidence)
        .fetch_optional(pool)
        .await?;
    if let Some(id) = added {
        return Ok((uint(id)?, true));
    }
    let known = sqlx::query_scalar::<_, i64>(
        "SELECT id FROM inbox_reports
         WHERE reporter = $1 AND target = $2 AND conversation = $3 AND closed_at_ms IS NULL",
    );
    let known = known
        .bind(report.reporter.as_str())
        .bind(report.target.as_str())
        .bind(report.conversation.as_str())
        .fetch_optional(pool)
        .await?;
    // It was closed in between: the caller may report again.
    Ok((uint(known.unwrap_or(0))?, false))
}

pub(super) async fn list(
    pool: &PgPool,
    is_open: Option<bool>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<ReportRecord>, InboxError> {
    let sql = format!(
        "SELECT {} FROM inbox_reports WHERE id < $1 AND ($2 IS NULL OR (closed_at_ms IS NULL) = $2)
         ORDER BY id DESC LIMIT $3",
        parse::REPORT
    );
    let found = sqlx::query(AssertSqlSafe(sql))
        .bind(int(before.unwrap_or(u64::MAX)))
        .bind(is_open)
        .bind(i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1))
        .fetch_all(pool)
        .await?;
    found.iter().map(parse::report).collect()
}

/// Closes an open report. Returns whether it was open.
pub(super) async fn close(
    pool: &PgPool,
    id: u64,
    by: &str,
    at_ms: u64,
    note: &str,
) -> Result<bool, InboxError> {
    let closed = sqlx::query(
        "UPDATE inbox_reports SET closed_at_ms = $2, closed_by = $3, note = $4 WHERE id = $1 AND closed_at_ms IS NULL",
    );
    let closed = closed.bind(int(id)).bind(int(at_ms)).bind(by).bind(note).execute(pool).await?;
    Ok(closed.rows_affected() == 1)
}
