//! Errors of reading the autoscaler's files of policy and capacity.

use std::path::PathBuf;

use crate::problem::Problem;

/// A file that cannot be read or parsed, or that has invalid values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be opened or read, or is not UTF-8 text.
    #[error("cannot read {}", path.display())]
    Read {
        /// Path of the file that could not be read.
        path: PathBuf,
        /// Error that the operating system returned for the read.
        #[source]
        source: std::io::Error,
    },
    /// The file is not valid TOML or JSON, or does not have the expected fields.
    #[error("cannot understand {}: {reason}", path.display())]
    Parse {
        /// Path of the file that could not be parsed.
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
