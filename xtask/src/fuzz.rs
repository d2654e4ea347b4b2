//! Fuzzing: calls the program of `fuzz`, which has the targets.

use clap::{Args, ValueEnum};

use crate::run::{command, run};

/// What drives the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Mutates kept inputs in one process, without coverage: needs no build of its own.
    Mutate,
    /// libFuzzer, guided by coverage; its build takes minutes.
    Libfuzzer,
}

#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Processor seconds for all targets together.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Inputs of each target at most.
    #[arg(long)]
    runs: Option<u64>,
    /// Runs these targets alone; all by default.
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<String>,
    /// Seed of the inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Prints the names of the targets.
    #[arg(long)]
    list: bool,
    #[arg(long, value_enum, default_value_t = Engine::Mutate)]
    engine: Engine,
    /// Keeps libFuzzer's inputs that reach more code than the kept ones.
    #[arg(long)]
    keep: bool,
}

/// Seconds of the run in CI.
pub(crate) const CI_SECONDS: u64 = 60;

/// Runs the targets as the command says; fails when one fails.
pub(crate) fn main(fuzz: &Fuzz) -> anyhow::Result<()> {
    run(program(fuzz))
}

/// Runs all targets for a time, as CI does.
pub(crate) fn for_seconds(seconds: u64) -> anyhow::Result<()> {
    let program = ["run", "--quiet", "--locked", "--package", "barrage-fuzz", "--"];
    run(command("cargo", &[&program[..], &["--seconds", &seconds.to_string()]].concat()))
}

fn program(fuzz: &Fuzz) -> std::process::Command {
    let mut command = command("cargo", &["run", "--quiet", "--locked", "--package", "barrage-fuzz", "--"]);
    command.args(["--seconds", &fuzz.seconds.to_string(), "--seed", &fuzz.seed.to_string()]);
    if let Some(runs) = fuzz.runs {
        command.args(["--runs", &runs.to_string()]);
    }
    for target in &fuzz.targets {
        command.args(["--target", target]);
    }
    for (is_set, flag) in [(fuzz.json, "--json"), (fuzz.list, "--list"), (fuzz.keep, "--keep")] {
        command.args(is_set.then_some(flag));
    }
    if fuzz.engine == Engine::Libfuzzer {
        command.arg("--libfuzzer");
    }
    command
}
