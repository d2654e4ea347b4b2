//! Errors of a command, which decide its exit code.

/// An error of the load tester. Its kind decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum LoadtestError {
    /// The command line or a scenario is wrong.
    #[error("{0}")]
    Usage(String),
    /// The user interrupted the run a second time, so no report was written.
    #[error("interrupted twice; no report was written")]
    Interrupted,
    /// The test could not run, so there are no figures.
    #[error("{message}")]
    CannotRun {
        /// Step that failed, for the first line of the output.
        message: String,
        /// Error that caused the failure, if there is one.
        #[source]
        source: Option<anyhow::Error>,
    },
}

impl LoadtestError {
    /// Builds the failure of a step that another error caused.
    pub fn cannot_run(message: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        LoadtestError::CannotRun { message: message.into(), source: Some(source.into()) }
    }

    /// Builds the failure of a step that no other error caused.
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
