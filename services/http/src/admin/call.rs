//! The record of an admin call, and where records go.

use barrage_protocol::{RoomId, UserId};
use http::Method;
use serde_json::Value;

/// An admin call that changed something, or tried to.
#[derive(Debug, Clone, PartialEq)]
pub struct AdminCall {
    /// Unix time of the answer, in milliseconds.
    pub at_ms: u64,
    /// User of the admin token that made the call.
    pub actor: UserId,
    /// Method of the call; never GET or HEAD, which change nothing.
    pub method: Method,
    /// Path of the call, without its query.
    pub path: String,
    /// Room in the path; `None` for calls on the platform.
    pub room: Option<RoomId>,
    /// The body; `None` when the call had none, or one that is not JSON.
    pub body: Option<Value>,
    /// HTTP status of the answer; calls that the handler refused are recorded, too.
    pub status: u16,
}

/// Extension of an answer that another process made and recorded: [`crate::AdminGate`] does not
/// record the call a second time.
#[derive(Debug, Clone, Copy)]
pub struct RecordedElsewhere;

/// Keeps admin calls. Called on the request's path, so it must not block.
pub trait AuditSink: Send + Sync {
    /// Keeps one call, after its answer was made.
    fn record(&self, call: AdminCall);
}

/// A sink that writes to the process's log alone, for a process without a store. It omits the body,
/// because bodies hold texts, and the log holds none.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditLog;

impl AuditSink for AuditLog {
    fn record(&self, call: AdminCall) {
        let AdminCall { actor, method, path, status, .. } = call;
        tracing::info!(by = %actor, %method, path, status, "admin call");
    }
}
