//! Why entry cannot start.

use std::path::PathBuf;

/// Start failures.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The region file cannot be read.
    #[error("the region file {path} cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of the region file is not `network,region,carrier`.
    #[error("the region file {path}, line {line}: {reason}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The MaxMind-format file is not one.
    #[error("the region file {path} is not a MaxMind-format file")]
    MaxMind {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: maxminddb::MaxMindDbError,
    },
    /// The capacity file cannot be used.
    #[error("entry.capacity_file")]
    Capacity(#[from] barrage_scaling::ConfigError),
    /// The limit makes no sense.
    #[error("entry.address_per_s: {0}")]
    Limit(#[from] barrage_flow::RuleError),
    /// A metric could not be registered.
    #[error("metrics")]
    Metrics(#[from] prometheus::Error),
}
