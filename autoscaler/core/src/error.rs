//! Why a file could not be used.

use std::path::PathBuf;

use crate::problem::Problem;

/// A file that cannot be read, parsed or believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("cannot understand {}: {reason}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What the parser said, with the place.
        reason: String,
    },
    /// Some values cannot be; all of them are listed.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
