//! Command line of the load tester: subcommands and their arguments.

use std::path::PathBuf;

mod against;
mod capacity;
mod compare;
mod io;
mod regions;
mod replay;
mod run;

use clap::{Parser, Subcommand};

use crate::error::LoadtestError;
use crate::inbox::{self, InboxScenario};
use crate::measure::figure;
use crate::scenario::shipped;
use crate::worker;

use capacity::Capacity;
use compare::Compare;
use io::{parse, read, say, unknown};
use regions::Regions;
use replay::Replay;
use run::Run;

/// Load tester for Barrage: makes viewers join and post, and reports what each viewer received,
/// how late, and what was lost.
///
/// Exit codes: 0 all thresholds hold, 1 a threshold is broken, 2 the test could not run or is
/// invalid (the load tester itself was the bottleneck), 64 wrong usage, 130 interrupted: the
/// report covers the part that ran.
#[derive(Debug, Parser)]
#[command(version, about, long_about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The docs of `Replay`, `Capacity` and `Regions` are at their types, which are long.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario: the name of a built-in one, or a file.
    Run(Run),
    Replay(Replay),
    Capacity(Box<Capacity>),
    Regions(Regions),
    /// List the built-in scenarios.
    List,
    /// Print a built-in scenario, as a start for your own.
    Show {
        /// Name of the scenario.
        name: String,
    },
    /// Check a scenario file, and list every mistake.
    Check {
        /// Scenario file to check (TOML).
        file: PathBuf,
    },
    /// List the figures that a threshold can name.
    Figures,
    Compare(Compare),
    /// A worker process of a run.
    #[command(hide = true)]
    Worker,
}

impl Cli {
    /// Runs the command, and returns the exit code.
    pub fn execute(self) -> Result<u8, LoadtestError> {
        match self.command {
            Command::Run(asked) => asked.execute(),
            Command::Replay(asked) => asked.execute(),
            Command::Capacity(asked) => asked.execute(),
            Command::Regions(asked) => asked.execute(),
            Command::List => {
                let about = |(name, _): &(&str, &str)| {
                    let about = shipped::scenario(name).and_then(Result::ok);
                    format!("{name:<16}{}\n", about.map(|scenario| scenario.about).unwrap_or_default())
                };
                let of_letters = |(name, text): &(&str, &str)| {
                    let about = InboxScenario::parse(text).map(|scenario| scenario.about);
                    format!("{name:<16}{}\n", about.unwrap_or_default())
                };
                let rooms = shipped::SHIPPED.iter().map(about);
                say(&rooms.chain(inbox::SHIPPED.iter().map(of_letters)).collect::<String>())
            }
            Command::Show { name } => {
                let text = shipped::text(&name).or_else(|| inbox::shipped(&name));
                say(text.ok_or_else(|| LoadtestError::Usage(unknown(&name)))?)
            }
            Command::Check { file } => {
                let (name, text) = (file.display().to_string(), read(&file)?);
                if InboxScenario::is_one(&text) {
                    run::parse_inbox(&name, &text)?;
                    return say("valid: a scenario of letters\n");
                }
                let scenario = parse(&name, &text)?;
                let secs = scenario.population().secs();
                say(&format!(
                    "valid: {} viewers, {secs} s, at most {:.0} posts/s\n",
                    scenario.population().peak(),
                    scenario.posts_per_s_max()
                ))
            }
            Command::Figures => say(&figures()),
            Command::Compare(asked) => asked.execute(),
            Command::Worker => worker::run().map(|()| 0),
        }
    }
}

fn figures() -> String {
    let latencies = format!(
        "{:<44}latency of deliveries, from the intended send\n{:<44}latency of one kind\n",
        figure::STATISTICS.map(|(name, _)| name).join(" "),
        format!("{}.p50 and so on", figure::LATENCIES.join("|"))
    );
    let of_letters = format!(
        "{:<44}latency of letters, devices and syncs\n",
        format!("{}.p50 and so on", figure::INBOX_LATENCIES.join("|"))
    );
    let others = figure::OTHERS.iter().chain(&figure::INBOX_OTHERS);
    let others: String = others.map(|(name, _, about)| format!("{name:<44}{about}\n")).collect();
    latencies + &of_letters + &others
}
