//! Errors of a command.

/// An error of the load tester. Its kind decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum LoadtestError {
    /// The command line or a scenario is wrong.
    #[error("{0}")]
    Usage(String),
    /// The user interrupted the run a second time, so no report was written.
    #[error("interrupted twice; no report was written")]
    Interrupted,
    /// The test could not run.
    #[error("{message}")]
    CannotRun {
        /// Step that failed, with its cause.
        message: String,
        /// Cause of the failure.
        #[source]
        source: Option<anyhow::Error>,
    },
}

impl LoadtestError {
    /// Builds a failure with its cause.
    pub fn cannot_run(message: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        LoadtestError::CannotRun { message: message.into(), source: Some(source.into()) }
    }

    /// Builds a failure without a cause.
    pub fn cannot(message: impl Into<String>) -> Self {
        LoadtestError::CannotRun { message: message.into(), source: None }
    }

    /// Exit code: 64 for usage, 130 for an interruption, 2 for a test that could not run.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            LoadtestError::Usage(_) => 64,
            LoadtestError::Interrupted => 130,
            LoadtestError::CannotRun { .. } => 2,
        }
    }
}
