//! Verbs of `barrage bus partitions`: the number of partitions.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum PartitionsCommand {
    /// Print the partitions, their rooms, and how many rooms are left to move.
    Show,
    /// Set the number of partitions. Uplinks move the rooms one by one; `show` prints the progress.
    Set {
        /// Number of partitions, from `nats.partitions` to 64.
        partitions: u16,
    },
}
