//! Runs of the deterministic simulation, and models of the protocols that have atomics and no lock.

use crate::run::{command, run};

/// Options of `cargo xtask simulate`, which the program of the crate `simulation` takes as they are.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Simulate {
    /// Runs seeds from 1 to this number; 10,000 without.
    #[arg(long)]
    seeds: Option<u64>,
    /// Runs this seed alone, and prints its trace.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Runs all seeds with this scenario; without, a seed runs the one at its remainder.
    #[arg(long)]
    scenario: Option<String>,
    /// Finds each deliberate defect instead, and prints the first seed that does.
    #[arg(long, conflicts_with = "seed")]
    mutations: bool,
    /// Runs the seed with this defect.
    #[arg(long, requires = "seed")]
    mutation: Option<String>,
    /// Prints one JSON object at the end.
    #[arg(long)]
    json: bool,
}

/// Builds the simulation and runs seeds of it. Fails when an obligation was broken.
pub(crate) fn main(options: &Simulate) -> anyhow::Result<()> {
    let mut simulation = command("cargo", &["run", "--quiet", "--package", "barrage-simulation", "--"]);
    for (name, value) in [("--seeds", options.seeds), ("--seed", options.seed)] {
        if let Some(value) = value {
            simulation.args([name, &value.to_string()]);
        }
    }
    for (name, value) in [("--scenario", &options.scenario), ("--mutation", &options.mutation)] {
        if let Some(value) = value {
            simulation.args([name, value]);
        }
    }
    for (name, is_given) in [("--mutations", options.mutations), ("--json", options.json)] {
        if is_given {
            simulation.arg(name);
        }
    }
    run(simulation)
}

/// Runs the models of `services/handshake` in loom, in a target folder of their own: the flag changes every crate.
pub(crate) fn models() -> anyhow::Result<()> {
    let arguments = ["test", "--package", "barrage-handshake", "--lib", "--target-dir", "target/model"];
    let mut models = command("cargo", &arguments);
    models.env("RUSTFLAGS", "--cfg loom");
    run(models)
}
