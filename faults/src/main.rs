//! `barrage-faults`: plays fault scenarios against a server binary. `cargo xtask fault` builds both.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use barrage_faults::machine;
use barrage_faults::outcome::{Outcome, Summary, Verdict};
use barrage_faults::play::play;
use barrage_faults::run::{Run, Size};
use barrage_faults::scenarios::{ALL, InQuick, Scenario, find};
use clap::Parser;

#[derive(Debug, Parser)]
#[command(about = "Plays fault scenarios on real processes")]
struct Cli {
    /// Name of a scenario, `all`, or `list`, which prints the names.
    name: String,
    /// Path of the server binary under test.
    #[arg(long, default_value = "target/dist/barrage")]
    binary: PathBuf,
    /// Short form, for CI.
    #[arg(long)]
    quick: bool,
    /// Minutes of the load, in place of the scenario's own.
    #[arg(long)]
    minutes: Option<f64>,
    /// Number of viewers, in place of the scenario's own.
    #[arg(long)]
    viewers: Option<usize>,
    /// Repeats the choices of a run; each run prints its seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.name == "list" {
        return ended(list());
    }
    // Faults of the network and the disk must not reach the machine that runs them.
    if let Some(mut inside) = machine::own_network() {
        return match inside.status() {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
    }
    ended(run(&cli))
}

fn ended(result: anyhow::Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(std::io::stderr().lock(), "barrage-faults: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn list() -> anyhow::Result<bool> {
    for scenario in ALL {
        say(&format!("{:>2}  {:<16} {}", scenario.row, scenario.name, scenario.about))?;
    }
    Ok(true)
}

/// Plays the named scenarios. Returns whether none failed.
fn run(cli: &Cli) -> anyhow::Result<bool> {
    let named: Vec<&'static Scenario> = if cli.name == "all" {
        ALL.iter().filter(|scenario| !cli.quick || scenario.in_quick == InQuick::Yes).collect()
    } else {
        let found = find(&cli.name);
        vec![found.ok_or_else(|| anyhow::anyhow!("no scenario {:?}; `list` prints the names", cli.name))?]
    };
    anyhow::ensure!(cli.binary.is_file(), "{} is no server binary", cli.binary.display());
    let binary = cli.binary.canonicalize()?;
    let size = if cli.quick { Size::Quick } else { Size::Full };
    let seed = cli.seed.unwrap_or_else(|| rand::random::<u32>().into());
    let run = Run { binary, seed, size, minutes: cli.minutes, viewers: cli.viewers };
    let mut summary = Summary::default();
    for scenario in named {
        let outcome = play(scenario, &run);
        if !cli.json {
            say(&outcome.text())?;
        }
        summary.add(outcome);
    }
    if cli.json {
        say(&serde_json::to_string(&summary)?)?;
    } else {
        let Summary { passed, failed, skipped, secs, .. } = summary;
        say(&format!("passed {passed}, failed {failed}, skipped {skipped}, in {secs:.0} s, seed {seed}"))?;
    }
    let has_failed = |outcome: &Outcome| matches!(outcome.verdict, Verdict::Failed(_));
    Ok(!summary.outcomes.iter().any(has_failed))
}
