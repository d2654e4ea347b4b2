//! What goes wrong while a fleet is looked after.

use super::http::HttpError;

/// Why a pass over one fleet ended early. All of it is tried again at the next pass.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// The API server refused or did not answer.
    #[error("the API server: {}", said(.0))]
    Api(#[from] kube::Error),
    /// Another replica leads; nothing was written.
    #[error("another replica leads: nothing was written")]
    Fenced,
    /// The Deployment's selector is not understood.
    #[error("the Deployment's selector: {0}")]
    Selector(#[from] kube::core::ParseExpressionError),
}

impl ControllerError {
    /// Whether somebody else was faster.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, ControllerError::Api(error) if is_conflict(error))
    }

    /// The label in metrics.
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

/// Its own words, without the whole of its answer.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Somebody else changed the object meanwhile.
pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Why load reports could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadsError {
    /// The source did not answer as it should.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer was not understood.
    #[error("the answer was not understood: {0}")]
    Form(#[from] serde_json::Error),
    /// The source refused the question.
    #[error("the query {query:?} failed: {reason}")]
    Query {
        /// Which one.
        query: String,
        /// What was said.
        reason: String,
    },
}
