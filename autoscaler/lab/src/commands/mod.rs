//! The subcommands of the lab, one module each.

mod replay;
mod simulate;
mod tune;

use clap::Subcommand;

use crate::cli::{self, Compare, PolicyArgs, Replay, Simulate, Tune};
use crate::console::print;

/// The subcommands of the lab.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate traces under several policies; compare overload, waiting and cost.
    Simulate(Simulate),
    /// Search the policy's numbers for less overload and waiting at a reasonable cost.
    Tune(Tune),
    /// Decide again for each observation of a log, and print the decisions.
    Replay(Replay),
    /// Explain the last decision of a log, in words and numbers.
    Explain(Replay),
    /// Compare what a policy would have asked for with what ran.
    Compare(Compare),
    /// Check a policy, and print it with every default filled in.
    Policy(PolicyArgs),
}

impl Command {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// A [`ConfigError`](barrage_scaling::ConfigError) when a file that the user named is
    /// invalid; any other error when reading or writing fails.
    pub fn run(&self) -> anyhow::Result<()> {
        match self {
            Command::Simulate(args) => simulate::run(args),
            Command::Tune(args) => tune::run(args),
            Command::Replay(args) => replay::replay(args),
            Command::Explain(args) => replay::explain(args),
            Command::Compare(args) => replay::compare(args),
            Command::Policy(args) => print_policy(args),
        }
    }
}

fn print_policy(args: &PolicyArgs) -> anyhow::Result<()> {
    let policy = cli::read_policy(args.config.as_deref())?;
    print(&toml::to_string(&policy)?)
}
