//! Errors of a pass over one fleet, and of a source of load reports.

use crate::http::HttpError;

/// Why a pass over one fleet ended early. The next pass tries again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// The API server refused a request or did not answer.
    #[error("API server: {}", message(.0))]
    Api(#[from] kube::Error),
    /// Another replica leads, so this one wrote nothing.
    #[error("another replica leads; this replica wrote nothing")]
    Fenced,
    /// The Deployment's label selector cannot be parsed, so the controller cannot select its pods.
    #[error("the Deployment's selector cannot be parsed: {0}")]
    Selector(#[from] kube::core::ParseExpressionError),
}

impl ControllerError {
    /// All values of the metrics label `reason`.
    pub const LABELS: [&'static str; 4] = ["conflict", "api", "fenced", "selector"];

    /// Whether the object changed between read and write.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, ControllerError::Api(error) if is_conflict(error))
    }

    /// Returns the metrics label `reason`: one constant text for each kind of error.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            _ if self.is_conflict() => "conflict",
            ControllerError::Api(_) => "api",
            ControllerError::Fenced => "fenced",
            ControllerError::Selector(_) => "selector",
        }
    }
}

/// Message of an API error, without the rest of the answer.
fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Whether the API server refused a write because the object's version had changed.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Why a source returned no load reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadsError {
    /// An HTTP request to a server failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer is not the expected JSON.
    #[error("the answer is not the expected JSON: {0}")]
    Form(#[from] serde_json::Error),
    /// The source reported that a query failed.
    #[error("the query {query:?} failed: {reason}")]
    Query {
        /// Text of the query, as the controller sent it.
        query: String,
        /// Error text with which the source answered the query.
        reason: String,
    },
}
