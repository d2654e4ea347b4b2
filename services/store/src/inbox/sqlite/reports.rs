//! Reports, written beside the lanes: they change no inbox.

use rusqlite::{Connection, params};

use super::read::{all, one};
use crate::inbox::codes::int;
use crate::inbox::error::InboxError;
use crate::inbox::parse::{self, Row as _};
use crate::inbox::reports::{NewReport, ReportRecord};
use crate::inbox::store::AWAY_ROWS_MAX;

/// Adds a report unless the reporter has an open one about the user in the conversation. Returns its id and
/// whether it is new.
pub(super) fn add(connection: &mut Connection, report: &NewReport) -> Result<(u64, bool), InboxError> {
    let transaction = connection.transaction()?;
    let (reporter, target) = (report.reporter.as_str(), report.target.as_str());
    let known = "SELECT id FROM inbox_reports
        WHERE reporter = ?1 AND target = ?2 AND conversation = ?3 AND closed_at_ms IS NULL";
    let keys = params![reporter, target, report.conversation.as_str()];
    if let Some(id) = one(&transaction, known, keys, |row| row.count(0))? {
        return Ok((id, false));
    }
    transaction.execute(
        "INSERT INTO inbox_reports (at_ms, reporter, target, conversation, reason, evidence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            int(report.at_ms),
            reporter,
            target,
            report.conversation.as_str(),
            report.reason,
            report.evidence
        ],
    )?;
    let id = transaction.last_insert_rowid().cast_unsigned();
    transaction.commit()?;
    Ok((id, true))
}

pub(super) fn list(
    connection: &Connection,
    is_open: Option<bool>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<ReportRecord>, InboxError> {
    let sql = format!(
        "SELECT {} FROM inbox_reports WHERE id < ?1 AND (?2 IS NULL OR (closed_at_ms IS NULL) = ?2)
         ORDER BY id DESC LIMIT ?3",
        parse::REPORT
    );
    let limit = i64::try_from(limit.clamp(1, AWAY_ROWS_MAX)).unwrap_or(1);
    all(connection, &sql, params![int(before.unwrap_or(u64::MAX)), is_open, limit], |row| parse::report(row))
}

/// Closes an open report. Returns whether it was open.
pub(super) fn close(
    connection: &mut Connection,
    id: u64,
    by: &str,
    at_ms: u64,
    note: &str,
) -> Result<bool, InboxError> {
    let closed = connection.execute(
        "UPDATE inbox_reports SET closed_at_ms = ?2, closed_by = ?3, note = ?4 WHERE id = ?1 AND closed_at_ms IS NULL",
        params![int(id), int(at_ms), by, note],
    )?;
    Ok(closed == 1)
}
