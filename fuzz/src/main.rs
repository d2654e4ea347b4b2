//! Runs the fuzz targets: `cargo xtask fuzz` calls it.

mod libfuzzer;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use barrage_fuzz::campaign::{self, Bounds, Report};
use barrage_fuzz::{Target, corpus, targets};
use clap::Parser;

use self::libfuzzer::Keep;

/// Seconds after which an input that does not end stops the program.
const HANG_SECS: u64 = 60;

#[derive(Debug, Parser)]
#[command(about = "Runs fuzz targets over kept, large and mutated inputs")]
struct Cli {
    /// Processor seconds for all targets together.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Mutated inputs of each target at most.
    #[arg(long, default_value_t = u64::MAX)]
    runs: u64,
    /// Runs these targets alone; all by default.
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<String>,
    /// First seed of the mutations; a run prints its own.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Prints the names of the targets.
    #[arg(long)]
    list: bool,
    /// Runs the targets under libFuzzer, guided by coverage, after a build of minutes.
    #[arg(long)]
    libfuzzer: bool,
    /// Keeps libFuzzer's inputs that reach more code than the kept ones.
    #[arg(long, requires = "libfuzzer")]
    keep: bool,
    /// Runs one input, escaped as a line of a corpus file.
    #[arg(long, value_name = "INPUT", requires = "targets")]
    input: Option<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let chosen = chosen(&cli.targets)?;
    if cli.list {
        for target in chosen {
            say(target.name)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(input) = &cli.input {
        for target in chosen {
            (target.run)(&corpus::unescape(input)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let share = Duration::from_secs(cli.seconds) / u32::try_from(chosen.len().max(1))?;
    if cli.libfuzzer {
        let keeps = if cli.keep { Keep::New } else { Keep::Nothing };
        let failed = libfuzzer::run_all(&chosen, share, cli.runs, cli.seed, keeps)?;
        say(&serde_json::json!({ "engine": "libfuzzer", "seed": cli.seed, "failed": failed }).to_string())?;
        return Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    watch();
    // A panic is a result here; its message is in the report.
    std::panic::set_hook(Box::new(|_| {}));
    let bounds = Bounds { time: share, runs: cli.runs, seed: cli.seed };
    let mut reports = Vec::new();
    for target in chosen {
        let kept = corpus::read(target.name)?;
        let report = campaign::run(target, &kept, bounds);
        if !cli.json {
            say(&row(&report))?;
        }
        reports.push(report);
    }
    let failed = reports.iter().filter(|report| report.failure.is_some()).count();
    if cli.json {
        let value = serde_json::json!({ "seed": cli.seed, "failed": failed, "targets": reports });
        say(&value.to_string())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Target>> {
    if names.is_empty() {
        return Ok(targets::ALL.iter().collect());
    }
    let find = |name: &String| {
        barrage_fuzz::target(name).with_context(|| format!("no target {name}; --list prints them"))
    };
    names.iter().map(find).collect()
}

fn row(report: &Report) -> String {
    let Report { target, runs, large, cpu_ms, slowest_ms, growth_bytes, failure } = report;
    let growth = growth_bytes >> 20;
    let mut row = format!(
        "{target:<15} {runs:>9} runs, {large:>4} large, {cpu_ms:>6} ms, slowest {slowest_ms:>4} ms, +{growth} MiB"
    );
    if let Some(failure) = failure {
        let shown: String = failure.input.chars().take(2_000).collect();
        row.push_str(&format!("\n  FAILED: {}\n  --target {target} --input '{shown}'", failure.cause));
    }
    row
}

/// Ends the program when an input does not end: a campaign can only measure inputs that do.
fn watch() {
    std::thread::spawn(|| {
        let (mut last, mut secs) = (0, 0);
        loop {
            std::thread::park_timeout(Duration::from_secs(1));
            let runs = campaign::runs();
            secs = if runs == last { secs + 1 } else { 0 };
            last = runs;
            if secs > HANG_SECS {
                drop(say(&format!("an input of the target behind the last report does not end, run {runs}")));
                std::process::abort();
            }
        }
    });
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
