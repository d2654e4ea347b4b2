//! Arguments of the measurement.

use clap::Args;

/// Server, length and limit of all cases.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// URL of a Redis server that nothing else uses.
    #[arg(long)]
    pub(super) redis: String,
    /// Length of each measurement, after 3 s of the same load.
    #[arg(long, default_value_t = 10)]
    pub(super) secs: u32,
    /// Units per second of the limit that the instances share.
    #[arg(long, default_value_t = 10_000)]
    pub(super) limit: u32,
    /// Depth of the bucket, as seconds of the limit.
    #[arg(long, default_value_t = 3)]
    pub(super) burst_secs: u32,
    /// Uses a sliding window of a second instead of a bucket.
    #[arg(long)]
    pub(super) window: bool,
}
