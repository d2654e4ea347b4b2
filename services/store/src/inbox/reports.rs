//! Reports of users about letters and groups, with evidence.

use barrage_inbox::ConversationId;
use barrage_protocol::UserId;

/// A report as a user makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReport {
    /// Time of the report in Unix milliseconds.
    pub at_ms: u64,
    /// User who made the report.
    pub reporter: UserId,
    /// User who is reported.
    pub target: UserId,
    /// Conversation in which it happened.
    pub conversation: ConversationId,
    /// What the reporter says, cleaned.
    pub reason: String,
    /// Items as the reporter saw them: a JSON array, copied, so that a recall does not remove them.
    pub evidence: String,
}

/// A report as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRecord {
    /// Id of the report, which grows.
    pub id: u64,
    /// The report as it was made.
    pub report: NewReport,
    /// Who closed it, when (Unix milliseconds), and with which note; `None` while it is open.
    pub closed: Option<(String, u64, String)>,
}
