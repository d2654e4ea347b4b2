//! Errors of configuration files.

use std::path::PathBuf;

use crate::problem::Problem;

/// A file that cannot be read or parsed, or that has invalid values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The file has the wrong form.
    #[error("cannot understand {}: {reason}", path.display())]
    Parse {
        /// Path of the file.
        path: PathBuf,
        /// Error of the parser, with the place in the file.
        reason: String,
    },
    /// Some values are invalid; the list has all of them.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
