//! `run`: a scenario to its end, and its report.

use std::path::{Path, PathBuf};

use clap::Args;

use super::against::{Against, block_on};
use super::{parse, read, say, unknown, write};
use crate::error::LoadtestError;
use crate::report;
use crate::run::{self, RunOptions};
use crate::scenario::Scenario;
use crate::shipped;

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// A shipped scenario's name, or a file.
    scenario: String,
    /// All viewers, instead of the scenario's number.
    #[arg(long)]
    viewers: Option<u32>,
    /// Danmaku file whose texts are written, instead of the scenario's.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// Shell command to run at each fault of the scenario, instead of cutting connections:
    /// `kill -9 PID` of a gateway.
    #[arg(long, value_name = "COMMAND")]
    hook: Option<String>,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    files: Files,
}

/// Where the report goes.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as a page that opens without a network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Run {
    pub(crate) fn execute(self) -> Result<u8, LoadtestError> {
        let mut scenario = load(&self.scenario)?;
        scenario.viewers = self.viewers.unwrap_or(scenario.viewers);
        scenario.recording = self.recording.or(scenario.recording);
        let options = RunOptions { hook: self.hook, ..self.against.options() };
        conclude(scenario, &options, &self.files)
    }
}

/// Runs, writes the report, prints the summary; the exit code.
pub(crate) fn conclude(scenario: Scenario, options: &RunOptions, files: &Files) -> Result<u8, LoadtestError> {
    let report = block_on(run::run(scenario, options))?;
    if let Some(path) = &files.json {
        write(path, &report.json())?;
    }
    if let Some(path) = &files.html {
        write(path, &report::page(&report))?;
    }
    say(&report::summary(&report))?;
    Ok(report.verdict.exit_code())
}

/// A shipped scenario or a file.
fn load(name: &str) -> Result<Scenario, LoadtestError> {
    match shipped::text(name) {
        Some(text) => parse(name, text),
        None if Path::new(name).is_file() => parse(name, &read(Path::new(name))?),
        None => Err(LoadtestError::Usage(unknown(name))),
    }
}
