//! `run`: runs a scenario, and reports it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::against::{Against, block_on};
use super::io::{parse, read, say, unknown, write};
use crate::error::LoadtestError;
use crate::inbox::{self, InboxScenario, Sizes};
use crate::out::{JunitRun, Out, junit};
use crate::report::{self, Verdict};
use crate::run::{self, PushService, RunOptions};
use crate::scenario::Scenario;
use crate::scenario::shipped;

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Name of a built-in scenario, or a file.
    scenario: String,
    /// Number of all viewers, instead of the scenario's.
    #[arg(long)]
    viewers: Option<u32>,
    /// Danmaku file whose texts are posted, instead of the scenario's.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// Shell command to run at each fault of the scenario, instead of resetting connections: `kill
    /// -9 PID` of a gateway.
    #[arg(long, value_name = "COMMAND")]
    hook: Option<String>,
    #[command(flatten)]
    sizes: InboxSizes,
    #[command(flatten)]
    push: PushArgs,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    files: Files,
}

/// Sizes of the scenarios of letters and pictures: `letters`, `fan-group`, `away`, `album`, `live`.
#[derive(Debug, Args)]
struct InboxSizes {
    /// Letters: people who write to each other; live: followers; instead of the scenario's.
    #[arg(long)]
    users: Option<u32>,
    /// Group: members, instead of the scenario's.
    #[arg(long)]
    members: Option<u32>,
    /// Group: members with an attached device, instead of the scenario's.
    #[arg(long)]
    online: Option<u32>,
    /// Devices that come back at once, instead of the scenario's.
    #[arg(long)]
    devices: Option<u32>,
    /// Items of the device that was away, instead of the scenario's.
    #[arg(long)]
    items: Option<u32>,
    /// Letters or items of a group a second, instead of the scenario's.
    #[arg(long, value_name = "PER_S")]
    rate: Option<f64>,
    /// Seconds of letters or of items of a group, instead of the scenario's.
    #[arg(long)]
    secs: Option<f64>,
}

impl InboxSizes {
    fn sizes(&self) -> Sizes {
        Sizes {
            users: self.users,
            members: self.members,
            online: self.online,
            devices: self.devices,
            items: self.items,
            rate: self.rate,
            secs: self.secs,
        }
    }
}

/// The push service that the scenario `live` plays.
#[derive(Debug, Args)]
struct PushArgs {
    /// Live: address of the push service that the run plays.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    push_listen: SocketAddr,
    /// Live: name of the push service in its URLs, which its certificate has.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    push_host: String,
    /// Live: PEM file with the certificate of the push service, of an authority that the server trusts.
    #[arg(long, value_name = "FILE")]
    push_cert: Option<PathBuf>,
    /// Live: PEM file with the key of this certificate.
    #[arg(long, value_name = "FILE")]
    push_key: Option<PathBuf>,
}

/// Files of the report.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as a page that opens without a network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the results elsewhere, too: prometheus=URL writes the metrics of the test once a second by remote write
    /// (LOADTEST_OUT_TOKEN: bearer token), hdr=FILE the latencies of each second as an HdrHistogram log, junit=FILE each
    /// threshold as a test. Repeatable.
    #[arg(long, value_name = "KIND=WHERE", verbatim_doc_comment)]
    out: Vec<Out>,
    /// Number of runs, for `compare`. The files are FILE-1.json, FILE-2.json and so on; the exit
    /// code is the worst of all runs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
}

impl Files {
    /// Options of a run with the destinations that take part while it lasts.
    fn options(&self, options: &RunOptions, run: u32) -> RunOptions {
        let mut options = options.clone();
        for out in &self.out {
            match out {
                Out::Prometheus(url) => options.remote_write = Some(url.clone()),
                Out::Hdr(path) => options.hdr_log = Some(self.of_run(path, run)),
                Out::Junit(_) => {}
            }
        }
        options
    }

    /// Writes the JUnit reports of a run.
    fn write_junit(&self, run: u32, of: &JunitRun<'_>) -> Result<(), LoadtestError> {
        let paths =
            self.out.iter().filter_map(|out| if let Out::Junit(path) = out { Some(path) } else { None });
        paths.into_iter().try_for_each(|path| write(&self.of_run(path, run), &junit(of)))
    }

    /// File of a run: `report.json` for a single run, `report-2.json` for the second of several.
    fn of_run(&self, path: &Path, run: u32) -> PathBuf {
        if self.repeat == 1 {
            return path.to_owned();
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
        path.with_file_name(format!("{stem}-{run}{}", extension.unwrap_or_default()))
    }
}

impl Run {
    pub(crate) fn execute(self) -> Result<u8, LoadtestError> {
        if let Some(scenario) = load_inbox(&self.scenario)? {
            return self.execute_inbox(scenario);
        }
        if self.sizes.sizes() != Sizes::default() {
            return Err(LoadtestError::Usage(format!(
                "{} is no scenario of letters: --users, --members, --online, --devices, --items, --rate and --secs are \
                 not for it",
                self.scenario
            )));
        }
        let mut scenario = load(&self.scenario)?;
        scenario.viewers = self.viewers.unwrap_or(scenario.viewers);
        scenario.recording = self.recording.or(scenario.recording);
        let options = RunOptions { hook: self.hook, ..self.against.options() };
        conclude(&scenario, &options, &self.files)
    }

    /// Runs a scenario of letters as often as asked, and returns the worst exit code.
    fn execute_inbox(self, mut scenario: InboxScenario) -> Result<u8, LoadtestError> {
        scenario.resize(&self.sizes.sizes()).map_err(|error| LoadtestError::Usage(error.to_string()))?;
        let push = PushService {
            listen: self.push.push_listen,
            host: self.push.push_host,
            cert: self.push.push_cert,
            key: self.push.push_key,
        };
        let options = RunOptions { push, ..self.against.options() };
        let not_for_letters = [
            ("--viewers", self.viewers.is_some()),
            ("--recording", self.recording.is_some()),
            ("--hook", self.hook.is_some()),
            ("--html", self.files.html.is_some()),
            ("--metrics-listen", options.metrics_listen.is_some()),
            ("--out prometheus and hdr", self.files.out.iter().any(|out| !matches!(out, Out::Junit(_)))),
            ("--processes", options.processes.is_some()),
        ];
        if let Some((flag, _)) = not_for_letters.iter().find(|(_, is_given)| *is_given) {
            return Err(LoadtestError::Usage(format!("{flag} is not for scenarios of letters")));
        }
        let mut worst = 0;
        for number in 1..=self.files.repeat {
            let report = block_on(inbox::run(&scenario, &options))?;
            if let Some(path) = &self.files.json {
                write(&self.files.of_run(path, number), &report.json())?;
            }
            let summary = inbox::summary(&report);
            self.files.write_junit(
                number,
                &JunitRun {
                    scenario: &report.scenario.name,
                    verdict: &report.verdict,
                    thresholds: &report.thresholds,
                    secs: barrage_clock::since_unix_epoch().as_secs_f64() - report.started_unix_secs as f64,
                    started_unix_secs: report.started_unix_secs,
                    summary: &summary,
                },
            )?;
            say(&summary)?;
            worst = worst.max(report.verdict.exit_code());
            if matches!(report.verdict, Verdict::Interrupted(_)) {
                break;
            }
        }
        Ok(worst)
    }
}

/// Reads a scenario of letters; `None` for another one.
fn load_inbox(name: &str) -> Result<Option<InboxScenario>, LoadtestError> {
    if let Some(text) = inbox::shipped(name) {
        return parse_inbox(name, text).map(Some);
    }
    if shipped::text(name).is_some() || !Path::new(name).is_file() {
        return Ok(None);
    }
    let text = read(Path::new(name))?;
    InboxScenario::is_one(&text).then(|| parse_inbox(name, &text)).transpose()
}

/// Parses a scenario of letters; a mistake is a usage error.
pub(super) fn parse_inbox(name: &str, text: &str) -> Result<InboxScenario, LoadtestError> {
    InboxScenario::parse(text).map_err(|error| LoadtestError::Usage(format!("{name}: {error}")))
}

/// Runs as often as asked, writes the reports, prints the summaries, and returns the worst exit
/// code.
pub(crate) fn conclude(
    scenario: &Scenario,
    options: &RunOptions,
    files: &Files,
) -> Result<u8, LoadtestError> {
    let mut worst = 0;
    for number in 1..=files.repeat {
        let report = block_on(run::run(scenario.clone(), &files.options(options, number)))?;
        if let Some(path) = &files.json {
            write(&files.of_run(path, number), &report.json())?;
        }
        if let Some(path) = &files.html {
            write(&files.of_run(path, number), &report::page(&report))?;
        }
        let summary = report::summary(&report);
        files.write_junit(
            number,
            &JunitRun {
                scenario: &report.scenario.name,
                verdict: &report.verdict,
                thresholds: &report.thresholds,
                secs: report.series.len() as f64,
                started_unix_secs: report.started_unix_secs,
                summary: &summary,
            },
        )?;
        say(&summary)?;
        worst = worst.max(report.verdict.exit_code());
        if matches!(report.verdict, Verdict::Interrupted(_)) {
            break;
        }
    }
    Ok(worst)
}

/// Reads a built-in scenario or a file.
fn load(name: &str) -> Result<Scenario, LoadtestError> {
    match shipped::text(name) {
        Some(text) => parse(name, text),
        None if Path::new(name).is_file() => parse(name, &read(Path::new(name))?),
        None => Err(LoadtestError::Usage(unknown(name))),
    }
}
