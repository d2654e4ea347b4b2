//! What an uplink remembers of posts and admin calls: the conservation ledger, the checks of the newest posts,
//! the flight recorder and the audit log.

mod audit_line;
mod audit_queue;
mod context;
mod in_flight;
mod post_checks;
mod post_record;
mod request_trace;

pub(crate) use audit_line::hashed_texts;
pub use audit_queue::AuditQueue;
pub(crate) use context::{PostContext, PostRecords};
pub(crate) use post_checks::{CheckLog, CheckResult, PostChecks};
pub(crate) use post_record::PostRecord;
pub(crate) use request_trace::RequestTrace;
