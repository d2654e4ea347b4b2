//! Why a command did not do what it was asked.

/// An error of the load tester; its kind decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum LoadtestError {
    /// The command line or a scenario is wrong.
    #[error("{0}")]
    Usage(String),
    /// The person ended the run a second time, and nothing was kept.
    #[error("interrupted; nothing was kept")]
    Interrupted,
    /// The test could not be run.
    #[error("{message}")]
    CannotRun {
        /// What failed.
        message: String,
        /// Why.
        #[source]
        source: Option<anyhow::Error>,
    },
}

impl LoadtestError {
    /// A failure with its cause.
    pub fn cannot_run(message: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        LoadtestError::CannotRun { message: message.into(), source: Some(source.into()) }
    }

    /// A failure that says everything itself.
    pub fn cannot(message: impl Into<String>) -> Self {
        LoadtestError::CannotRun { message: message.into(), source: None }
    }

    /// 64 for usage, 130 for an interruption, 2 for a run that could not be done.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            LoadtestError::Usage(_) => 64,
            LoadtestError::Interrupted => 130,
            LoadtestError::CannotRun { .. } => 2,
        }
    }
}
