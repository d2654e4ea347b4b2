//! The admin routes of the inbox: reports, erase and export of a user.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use barrage_http::{ApiError, bearer};
use barrage_openapi::Method::{Get, Post};
use barrage_openapi::{Body as Described, Operation, Server};
use barrage_protocol::{Code, UserId};
use barrage_store::ReportRecord;
use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::caller::{query, read, user_id};
use crate::inbox::InboxControl;
use crate::uplink::Uplink;

const JSON_LINES: &str = "application/jsonl";
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;
/// Lines that wait for a slow reader; the export waits with them.
const LINES_WAITING: usize = 64;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReportsQuery {
    /// Lists open reports alone, or with `false` closed ones.
    open: Option<bool>,
    /// Lists reports with a smaller id: `next_before` of the page before.
    before: Option<u64>,
    /// Reports of a page, 1 to 500; 50 when absent.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

/// Reports of one page, with the place of the next one.
#[derive(Debug, Serialize, JsonSchema)]
struct ReportsPage {
    /// Reports, the newest first.
    reports: Vec<ReportView>,
    /// Value of `before` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<u64>,
}

/// A report with its evidence.
#[derive(Debug, Serialize, JsonSchema)]
struct ReportView {
    /// Id of the report.
    id: u64,
    /// Time of the report in Unix milliseconds.
    at_ms: u64,
    /// User who made the report.
    reporter: UserId,
    /// User who is reported.
    user: UserId,
    /// Conversation in which it happened.
    conversation: String,
    /// What the reporter says.
    reason: String,
    /// Last items as the reporter saw them, at most 10.
    #[schemars(with = "serde_json::Value")]
    evidence: Option<Box<RawValue>>,
    /// Who closed the report; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<String>,
    /// When it was closed, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at_ms: Option<u64>,
    /// Note of who closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Body of `POST /v1/admin/reports/{report}/close`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CloseRequest {
    /// What was decided, at most 500 characters.
    #[serde(default)]
    note: String,
}

/// Answer to the close of a report.
#[derive(Debug, Serialize, JsonSchema)]
struct Closed {
    /// Id of the report, which is closed.
    closed: u64,
}

/// Answer to the erase of a user.
#[derive(Debug, Serialize, JsonSchema)]
struct ErasedAnswer {
    /// User whose inbox was erased.
    user: UserId,
    /// Groups that the user left, or owned and that are deleted.
    groups: u64,
    /// Blocks of the user that ended.
    blocks: u64,
    /// Items whose bodies are gone. Positions and counts stay.
    items: u64,
    /// There are more, or letters wait for the tables: make the call again.
    more: bool,
    /// Id that took the place of the user's in the tables; absent while there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pseudonym: Option<UserId>,
}

impl From<ReportRecord> for ReportView {
    fn from(record: ReportRecord) -> Self {
        let ReportRecord { id, report, closed } = record;
        let (closed_by, closed_at_ms, note) = match closed {
            Some((by, at_ms, note)) => (Some(by), Some(at_ms), Some(note)),
            None => (None, None, None),
        };
        ReportView {
            id,
            at_ms: report.at_ms,
            reporter: report.reporter,
            user: report.target,
            conversation: report.conversation.to_string(),
            reason: report.reason,
            evidence: RawValue::from_string(report.evidence).ok(),
            closed_by,
            closed_at_ms,
            note,
        }
    }
}

type Shared = State<Arc<Uplink>>;

/// Returns the routes, which are served only behind the check of admin tokens.
pub(crate) fn router(uplink: &Arc<Uplink>) -> Router {
    Router::new()
        .route("/v1/admin/reports", get(list))
        .route("/v1/admin/reports/{report}/close", post(close))
        .route("/v1/admin/users/{user}/inbox/erase", post(erase))
        .route("/v1/admin/users/{user}/inbox/export", get(export))
        .with_state(Arc::clone(uplink))
        .merge(super::push::admin_router(uplink))
}

fn inbox(uplink: &Uplink) -> Result<&InboxControl, ApiError> {
    let inbox = uplink.inbox.as_deref();
    inbox.ok_or_else(|| ApiError::new(Code::Forbidden, "letters are off on this server"))
}

async fn list(
    State(uplink): Shared,
    asked: Result<Query<ReportsQuery>, QueryRejection>,
) -> Result<Json<ReportsPage>, ApiError> {
    let ReportsQuery { open, before, limit } = query(asked)?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {LIMIT_MAX}")));
    }
    let found = inbox(&uplink)?.reports(open, before, limit).await?;
    let next_before = (found.len() == limit).then(|| found.last().map(|last| last.id)).flatten();
    Ok(Json(ReportsPage { reports: found.into_iter().map(ReportView::from).collect(), next_before }))
}

async fn close(
    State(uplink): Shared,
    Path(report): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Closed>, ApiError> {
    let unknown = || ApiError::new(Code::NotFound, "there is no open report with this id");
    let id: u64 = report.parse().map_err(|_| unknown())?;
    let CloseRequest { note } = read(&uplink, body, uplink.config.post_bytes_max).await?;
    // The gate has verified the token.
    let by = bearer(&headers).and_then(|token| uplink.keyring.verify(token).ok());
    let by = by.map_or_else(String::new, |by| by.user.to_string());
    if !inbox(&uplink)?.close_report(id, &by, &note).await? {
        return Err(unknown());
    }
    Ok(Json(Closed { closed: id }))
}

async fn erase(State(uplink): Shared, Path(user): Path<String>) -> Result<Json<ErasedAnswer>, ApiError> {
    let user = user_id(&user)?;
    let erased = inbox(&uplink)?.erase(&user).await?;
    let crate::inbox::Erased { groups, blocks, items, more, pseudonym } = erased;
    Ok(Json(ErasedAnswer { user, groups, blocks, items, more, pseudonym }))
}

async fn export(State(uplink): Shared, Path(user): Path<String>) -> Result<Response, ApiError> {
    let user = user_id(&user)?;
    inbox(&uplink)?;
    let (lines, mut written) = mpsc::channel::<Bytes>(LINES_WAITING);
    tokio::spawn(async move {
        let Some(inbox) = uplink.inbox.as_deref() else { return };
        if let Err(refusal) = inbox.export(&user, &lines).await {
            tracing::warn!(code = refusal.code.label(), "an export of an inbox was cut off");
            // The last line says so: the status was sent before.
            let line = serde_json::json!({ "line": "error", "code": refusal.code.label() });
            drop(lines.send(format!("{line}\n").into()).await);
        }
    });
    let stream = futures_util::stream::poll_fn(move |context| {
        written.poll_recv(context).map(|line| line.map(Ok::<_, std::convert::Infallible>))
    });
    Ok(([(header::CONTENT_TYPE, JSON_LINES)], Body::from_stream(stream)).into_response())
}

/// Describes the admin routes.
pub(crate) fn operations() -> Vec<Operation> {
    let of = |id, method, path, summary| Operation::admin(Server::Uplink, id, method, path, summary);
    let mut all = vec![
        of("inbox_reports", Get, "/v1/admin/reports", "Lists reports about letters and groups.")
            .query::<ReportsQuery>()
            .answers::<ReportsPage>(200, "A page of reports with their evidence."),
        of("inbox_close_report", Post, "/v1/admin/reports/{report}/close", "Closes a report.")
            .body::<CloseRequest>()
            .answers::<Closed>(200, "The report is closed.")
            .refuses(&[Code::NotFound, Code::BadText]),
        of(
            "inbox_erase",
            Post,
            "/v1/admin/users/{user}/inbox/erase",
            "Erases what a user wrote, and takes the user out of all groups.",
        )
        .answers::<ErasedAnswer>(200, "What was erased.")
        .refuses(&[Code::InboxBehind]),
        of("inbox_export", Get, "/v1/admin/users/{user}/inbox/export", "Exports the inbox of a user.")
            .answer(200, "The user, conversations and items, a line each.", Described::Media(JSON_LINES)),
    ];
    all.extend(super::push::admin_operations());
    all
}
