//! The command line.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::error::LoadtestError;
use crate::figure;
use crate::report::{self, Report};
use crate::run::{self, RunOptions};
use crate::scenario::Scenario;
use crate::{shipped, worker};

/// Load tester for Barrage: makes a crowd come, and says what each viewer got, how late,
/// and what was lost.
///
/// Exit codes: 0 all thresholds hold, 1 one is broken, 2 the test could not be run or says
/// nothing (the tester itself was the bottleneck), 64 wrong usage.
#[derive(Debug, Parser)]
#[command(version, about, long_about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario: a shipped one by its name, or a file.
    Run(Run),
    /// List the shipped scenarios.
    List,
    /// Print a shipped scenario, to begin one's own from.
    Show {
        /// Its name.
        name: String,
    },
    /// Say whether a scenario file is valid, and if not, all that is wrong.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// List the figures that a threshold can name.
    Figures,
    /// Show two runs side by side, from their JSON files.
    Compare {
        /// The run before.
        a: PathBuf,
        /// The run after.
        b: PathBuf,
        /// Write a page too.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// A worker process of a run.
    #[command(hide = true)]
    Worker,
}

#[derive(Debug, Args)]
struct Run {
    /// A shipped scenario's name, or a file.
    scenario: String,
    /// Base URL of entry.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    target: String,
    /// All viewers, instead of the scenario's number.
    #[arg(long)]
    viewers: Option<u32>,
    /// Key file that signs tokens (`token.key` in the server's data directory). Without it,
    /// the server must give guest tokens for a scenario that posts.
    #[arg(long, value_name = "FILE")]
    token_key: Option<PathBuf>,
    /// Base URL of the admin listener: the scenario's rooms are made there, with
    /// --token-key, and its metrics are read.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// URL of the server's metrics, when it is not the admin listener's.
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// Danmaku file whose texts are written, instead of the scenario's.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// Worker processes; as few as the descriptor limit allows when absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    processes: Option<u32>,
    /// Threads of each process; when absent, the machine's cores shared among them.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Shell command to run at each fault of the scenario, instead of cutting connections:
    /// `kill -9 PID` of a gateway.
    #[arg(long, value_name = "COMMAND")]
    hook: Option<String>,
    /// The same seed makes the same arrivals and rooms.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as a page that opens without a network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Show no progress.
    #[arg(long)]
    quiet: bool,
}

impl Cli {
    /// Does what was asked; the exit code.
    pub fn execute(self) -> Result<u8, LoadtestError> {
        match self.command {
            Command::Run(asked) => asked.execute(),
            Command::List => {
                let about = |(name, _): &(&str, &str)| {
                    let about = shipped::scenario(name).and_then(Result::ok);
                    format!("{name:<16}{}\n", about.map(|scenario| scenario.about).unwrap_or_default())
                };
                say(&shipped::SHIPPED.iter().map(about).collect::<String>())
            }
            Command::Show { name } => {
                say(shipped::text(&name).ok_or_else(|| LoadtestError::Usage(unknown(&name)))?)
            }
            Command::Check { file } => {
                let scenario = parse(&file.display().to_string(), &read(&file)?)?;
                let secs = scenario.population().secs();
                say(&format!(
                    "valid: {} viewers, {secs} s, at most {:.0} posts/s\n",
                    scenario.population().peak(),
                    scenario.posts_per_s_max()
                ))
            }
            Command::Figures => say(&figures()),
            Command::Compare { a, b, html } => {
                let (a, b) = (Report::read(&a)?, Report::read(&b)?);
                if let Some(path) = html {
                    write(&path, &report::compare_html(&a, &b))?;
                }
                say(&report::compare_text(&a, &b))
            }
            Command::Worker => worker::run().map(|()| 0),
        }
    }
}

impl Run {
    fn execute(self) -> Result<u8, LoadtestError> {
        let mut scenario = load(&self.scenario)?;
        scenario.viewers = self.viewers.unwrap_or(scenario.viewers);
        scenario.recording = self.recording.or(scenario.recording);
        let options = RunOptions {
            target: self.target,
            token_key: self.token_key,
            admin: self.admin,
            metrics: self.metrics,
            processes: self.processes,
            threads: self.threads,
            hook: self.hook,
            seed: self.seed,
            quiet: self.quiet,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| LoadtestError::cannot_run("no runtime", error))?;
        let local = tokio::task::LocalSet::new();
        let report = local.block_on(&runtime, run::run(scenario, &options))?;
        if let Some(path) = self.json {
            write(&path, &report.json())?;
        }
        if let Some(path) = self.html {
            write(&path, &report::page(&report))?;
        }
        say(&report::summary(&report))?;
        Ok(report.verdict.exit_code())
    }
}

/// A shipped scenario or a file.
fn load(name: &str) -> Result<Scenario, LoadtestError> {
    match shipped::text(name) {
        Some(text) => parse(name, text),
        None if Path::new(name).is_file() => parse(name, &read(Path::new(name))?),
        None => Err(LoadtestError::Usage(unknown(name))),
    }
}

fn parse(name: &str, text: &str) -> Result<Scenario, LoadtestError> {
    Scenario::parse(text).map_err(|error| LoadtestError::Usage(format!("{name}: {error}")))
}

fn unknown(name: &str) -> String {
    let shipped: Vec<_> = shipped::SHIPPED.iter().map(|(name, _)| *name).collect();
    format!("{name} is neither a file nor a shipped scenario ({})", shipped.join(", "))
}

fn figures() -> String {
    let latencies = format!(
        "{:<44}latency of deliveries, from the intended send\n{:<44}latency of one kind\n",
        figure::STATISTICS.map(|(name, _)| name).join(" "),
        format!("{}.p50 and so on", figure::LATENCIES.join("|"))
    );
    let others = figure::OTHERS.map(|(name, _, about)| format!("{name:<44}{about}\n"));
    latencies + &others.concat()
}

fn read(path: &Path) -> Result<String, LoadtestError> {
    std::fs::read_to_string(path)
        .map_err(|error| LoadtestError::Usage(format!("{} cannot be read: {error}", path.display())))
}

fn write(path: &Path, text: &str) -> Result<(), LoadtestError> {
    std::fs::write(path, text)
        .map_err(|error| LoadtestError::cannot_run(format!("{} cannot be written", path.display()), error))
}

fn say(text: &str) -> Result<u8, LoadtestError> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map(|()| 0)
        .map_err(|error| LoadtestError::cannot_run("nobody listens", error))
}
