//! Reports: what a user saw, kept for operators.

use barrage_inbox::{ConversationId, Position, Refusal as Reason};
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{LetterReportAnswer, LetterReportRequest};
use barrage_protocol::{Code, UserId};
use barrage_store::{End, NewReport, ReportRecord, Wanted};

use super::compose::check_position;
use super::control::InboxControl;
use super::refusals::{malformed, refused, unreadable};
use super::view;
use crate::text::CleanText;

/// Items that a report has as evidence.
const EVIDENCE_ITEMS: usize = 10;
/// Maximum characters of a reason.
const REASON_CHARS_MAX: usize = 500;

impl InboxControl {
    /// Takes a report about a user of a conversation that the reporter may read. The evidence is what the reporter
    /// sees: a recall afterwards does not remove it.
    pub(crate) async fn report(
        &self,
        reporter: &UserId,
        request: &LetterReportRequest,
    ) -> Result<LetterReportAnswer, Refusal> {
        let conversation =
            ConversationId::parse(&request.conversation).map_err(|error| malformed(error.to_string()))?;
        if let Some(position) = request.position {
            check_position(position)?;
        }
        let reason = CleanText::new(&request.reason, REASON_CHARS_MAX);
        let reason = reason.map_err(|error| Refusal::new(Code::BadText, format!("reason: {error}")))?;
        self.take_report(reporter).await?;
        let found = self.store.membership(reporter, &conversation).await;
        let found = found.map_err(|error| unreadable(&error))?.ok_or_else(|| refused(Reason::NotMember))?;
        let Some((after, before)) = view::readable(&found) else { return Err(refused(Reason::NotMember)) };
        let before = request.position.map_or(before, |position| before.min(Position(position + 1)));
        let wanted = Wanted { conversation: found.conversation.number, after, before };
        let reader = found.member.user;
        let shown = self.store.shown(reader, &[wanted], End::Newest, EVIDENCE_ITEMS).await;
        let shown = shown.map_err(|error| unreadable(&error))?;
        let evidence: Vec<_> =
            shown.into_iter().map(|stored| view::item(stored, reader, &self.media)).collect();
        let report = NewReport {
            at_ms: barrage_clock::unix_ms(),
            reporter: reporter.clone(),
            target: request.user.clone(),
            conversation,
            reason: reason.into_string(),
            evidence: serde_json::to_string(&evidence).expect("items are plain data"),
        };
        let (report, is_new) = self.store.report(&report).await.map_err(|error| unreadable(&error))?;
        Ok(LetterReportAnswer { report, duplicate: !is_new })
    }

    /// Returns reports, the newest first.
    pub(crate) async fn reports(
        &self,
        is_open: Option<bool>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ReportRecord>, Refusal> {
        self.store.reports(is_open, before, limit).await.map_err(|error| unreadable(&error))
    }

    /// Closes a report. Returns whether it was open.
    pub(crate) async fn close_report(&self, id: u64, by: &str, note: &str) -> Result<bool, Refusal> {
        let note = match note {
            "" => String::new(),
            note => CleanText::new(note, REASON_CHARS_MAX)
                .map_err(|error| Refusal::new(Code::BadText, format!("note: {error}")))?
                .into_string(),
        };
        let now_ms = barrage_clock::unix_ms();
        self.store.close_report(id, by, now_ms, &note).await.map_err(|error| unreadable(&error))
    }
}
