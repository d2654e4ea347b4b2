//! Verbs of `barrage fleet`: instances of all roles.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// List every instance of the fleet with its role and its newest report.
    List,
}
