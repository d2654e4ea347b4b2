//! Verbs of `barrage switch`: the platform's switches.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum SwitchCommand {
    /// Print every switch with its value and its effect.
    List,
    /// Set a switch: `barrage switch set no-likes true`, `barrage switch set redis open`.
    Set {
        /// Name of the switch.
        name: String,
        /// New value, `true` or `false` for most.
        value: String,
    },
}
