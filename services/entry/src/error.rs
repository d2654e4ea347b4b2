//! Errors at the start of an entry.

use std::path::PathBuf;

/// Why an entry cannot start with its configuration.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The region file cannot be read, is larger than 512 MiB, or is not UTF-8.
    #[error("the region file {path} cannot be read")]
    Read {
        /// Path of the region file, as configured in `entry.region_file`.
        path: PathBuf,
        /// Error of the system or the parser.
        #[source]
        source: std::io::Error,
    },
    /// A line of the region file is not `network,region,carrier`.
    #[error("the region file {path}, line {line}: {reason}")]
    Line {
        /// Path of the region file, as configured in `entry.region_file`.
        path: PathBuf,
        /// Number of the wrong line, from 1.
        line: usize,
        /// Description of what is wrong with the line.
        reason: String,
    },
    /// The region file is not in the MaxMind format.
    #[error("the region file {path} is not a MaxMind-format file")]
    MaxMind {
        /// Path of the region file, as configured in `entry.region_file`.
        path: PathBuf,
        /// Error of the system or the parser.
        #[source]
        source: maxminddb::MaxMindDbError,
    },
    /// The capacity file cannot be read or parsed, or has invalid values; the source names them.
    #[error("entry.capacity_file")]
    Capacity(#[from] barrage_scaling::ConfigError),
    /// The limit of questions is zero or beyond its range.
    #[error("entry.address_per_s: {0}")]
    Limit(#[from] barrage_flow::RuleError),
    /// The registry has a metric of the same name.
    #[error("metrics")]
    Metrics(#[from] prometheus::Error),
}
