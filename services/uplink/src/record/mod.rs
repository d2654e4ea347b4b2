//! What an uplink remembers of posts and admin calls: the conservation ledger, the newest traces,
//! the flight recorder and the audit log.

mod audit_line;
mod audit_queue;
mod context;
mod in_flight;
mod post_record;
mod trace;

pub use audit_queue::AuditQueue;
pub(crate) use context::{PostContext, PostRecords};
pub(crate) use post_record::PostRecord;
pub(crate) use trace::{CheckResult, Trace, Traces};
