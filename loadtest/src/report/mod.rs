//! The report of a run, as in its JSON file. The summary, the page and comparisons are built from
//! it alone.

pub(crate) mod compare;
mod gate;
mod html;
mod plots;
mod second;
mod summary;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use compare::{compare_html, compare_text};
pub use gate::{Gate, GateError};
pub use html::page;
pub use second::{Gateways, Second};
pub use summary::summary;

use crate::error::LoadtestError;
use crate::measure::figure::{Figures, Unit};
use crate::measure::interval::{ByClass, Interval, Posts};
use crate::measure::ledger::Balance;
use crate::scenario::Scenario;
use crate::scenario::threshold::Threshold;

/// Version of the report's JSON format, written into each report.
const FORMAT: u32 = 1;

/// Report of a run: its verdict, figures and course.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Version of the report's JSON format, 1.
    pub format: u32,
    /// Scenario of the run, with the changes of the command line.
    pub scenario: Scenario,
    /// Base URL of the entry under test.
    pub target: String,
    /// Start time of the run, in seconds of Unix time.
    pub started_unix_secs: u64,
    /// Number of worker processes that made the load.
    pub processes: u32,
    /// Number of threads in each worker process.
    pub threads: u32,
    /// Seed of the load; equal seeds give equal arrivals.
    pub seed: u64,
    /// Seconds after the start at which the user interrupted the run; absent for a complete run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted_at_secs: Option<f64>,
    /// Verdict on the run, which decides the exit code.
    pub verdict: Verdict,
    /// Each threshold, its measured value, and whether it holds.
    pub thresholds: Vec<Checked>,
    /// All figures of the run, by name.
    pub figures: Figures,
    /// Deliveries owed to viewers, and deliveries missing.
    pub balance: Balance,
    /// Sums of the counts over the whole run.
    pub totals: Totals,
    /// Figures of each second of the run, in order.
    pub series: Vec<Second>,
    /// Notes for the reader, such as those on hooks and on missing metrics.
    pub notes: Vec<String>,
}

/// Verdict on a run: whether its thresholds hold and its figures count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "because")]
pub enum Verdict {
    /// All thresholds of the scenario hold, and the figures count.
    Passed,
    /// At least one threshold of the scenario is broken.
    Failed,
    /// The load tester was the bottleneck, so the figures are not the server's.
    Invalid(String),
    /// The user ended the run early, so the figures cover its beginning.
    Interrupted(String),
}

impl Verdict {
    /// Exit code: 0, 1, 2 for an invalid run, and 130 for an interrupted one.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Invalid(_) => 2,
            Verdict::Interrupted(_) => 130,
        }
    }

    /// Returns the name of the verdict for output and pages.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Invalid(_) => "invalid",
            Verdict::Interrupted(_) => "interrupted",
        }
    }

    /// Why the thresholds are not judged; `None` when they are.
    #[must_use]
    pub fn because(&self) -> Option<&str> {
        match self {
            Verdict::Passed | Verdict::Failed => None,
            Verdict::Invalid(because) | Verdict::Interrupted(because) => Some(because),
        }
    }
}

/// A threshold, its measured value, and whether it holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checked {
    /// Condition of the scenario that was checked.
    pub threshold: Threshold,
    /// Measured value; absent when nothing was measured.
    pub value: Option<f64>,
    /// Whether the measured value meets the condition.
    pub holds: bool,
}

/// Sums of all counts over a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Messages delivered to viewers, by class; each viewer counts.
    pub delivered: ByClass,
    /// Posts that were due, and the answers of the uplink.
    pub posts: Posts,
    /// Viewers that received their first hello in the run.
    pub joins: u64,
    /// Viewers that reconnected in the run with a resume.
    pub reconnects: u64,
    /// Viewers that moved to another gateway before they left the old one.
    pub moves: u64,
    /// Tickets that entry issued to waiting viewers.
    pub tickets: u64,
    /// Connections that could not be opened, by reason.
    pub refusals: std::collections::BTreeMap<String, u64>,
    /// Connections that ended unintentionally, by reason.
    pub closes: std::collections::BTreeMap<String, u64>,
    /// Chat messages that batches reported as dropped, over all viewers.
    pub left_out: u64,
    /// Chat messages that repairs reported as skipped, over all viewers.
    pub skipped: u64,
    /// Gaps in the message chains of viewers.
    pub gaps: u64,
    /// WebSocket frames that the viewers read from the server.
    pub frames: u64,
    /// Bytes that the viewers read from their sockets.
    pub bytes: u64,
    /// Likes, summed over the pulses that all viewers received.
    pub likes: u64,
    /// Pages of history that viewers asked for.
    pub histories: u64,
    /// Pages of history that were refused or had no answer, by reason.
    pub histories_failed: std::collections::BTreeMap<String, u64>,
}

impl From<&Interval> for Totals {
    fn from(total: &Interval) -> Self {
        Totals {
            delivered: total.delivered,
            posts: total.posts.clone(),
            joins: total.joins,
            reconnects: total.reconnects,
            moves: total.moves,
            tickets: total.tickets,
            refusals: total.refusals.clone(),
            closes: total.closes.clone(),
            left_out: total.left_out,
            skipped: total.skipped,
            gaps: total.gaps,
            frames: total.frames,
            bytes: total.bytes,
            likes: total.likes,
            histories: total.histories,
            histories_failed: total.histories_failed.clone(),
        }
    }
}

/// Measurements of a run, before the verdict.
#[derive(Debug)]
pub struct Run {
    /// Scenario of the run, with the changes of the command line.
    pub scenario: Scenario,
    /// Base URL of the entry under test.
    pub target: String,
    /// Start time of the run, in seconds of Unix time.
    pub started_unix_secs: u64,
    /// Number of worker processes that made the load.
    pub processes: u32,
    /// Number of threads in each worker process.
    pub threads: u32,
    /// Seed of the load; equal seeds give equal arrivals.
    pub seed: u64,
    /// Figures of each second of the run, in order.
    pub gathered_series: Vec<Second>,
    /// Counts and latencies, summed over all seconds of the run.
    pub total: Interval,
    /// Deliveries owed to viewers, and deliveries missing.
    pub balance: Balance,
    /// Notes for the reader, such as those on hooks and on missing metrics.
    pub notes: Vec<String>,
    /// Seconds after the start at which the user interrupted the run.
    pub interrupted_at_secs: Option<f64>,
}

impl Report {
    /// Builds the report of a run: computes the figures and checks the thresholds.
    #[must_use]
    pub fn new(run: Run) -> Self {
        let figures = figures(&run);
        let thresholds: Vec<_> = run
            .scenario
            .thresholds
            .iter()
            .map(|threshold| {
                let (value, holds) = threshold.check(&figures);
                Checked { threshold: threshold.clone(), value, holds }
            })
            .collect();
        let lag = figures.get("tester.lag.p99").copied().unwrap_or(f64::INFINITY);
        let lag_max = run.scenario.tester_lag_p99_ms_max;
        let verdict = if let Some(at) = run.interrupted_at_secs {
            Verdict::Interrupted(format!(
                "the run was interrupted after {at:.0} s of {:.0} s: the figures are those of this part, and \
                 the thresholds are not judged",
                run.scenario.population().secs()
            ))
        } else if lag > lag_max {
            Verdict::Invalid(format!(
                "the tester itself was the bottleneck: its own timers were late by {} at p99, more than the \
                 {} that the scenario allows, so the latencies are not the server's; use fewer viewers, or \
                 another machine for the tester",
                Unit::Ms.show(lag),
                Unit::Ms.show(lag_max)
            ))
        } else if thresholds.iter().all(|checked| checked.holds) {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        let notes = note_of_part(&run.scenario)
            .into_iter()
            .chain(note_of_late(&run.total))
            .chain(run.notes)
            .collect();
        Report {
            format: FORMAT,
            scenario: run.scenario,
            target: run.target,
            started_unix_secs: run.started_unix_secs,
            processes: run.processes,
            threads: run.threads,
            seed: run.seed,
            interrupted_at_secs: run.interrupted_at_secs,
            verdict,
            thresholds,
            figures,
            balance: run.balance,
            totals: Totals::from(&run.total),
            series: run.gathered_series,
            notes,
        }
    }

    /// Reads a report from a JSON file. A file that is no report is a usage error.
    pub fn read(path: &Path) -> Result<Report, LoadtestError> {
        let name = path.display();
        let bytes = std::fs::read(path)
            .map_err(|error| LoadtestError::cannot_run(format!("{name} cannot be read"), error))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| LoadtestError::Usage(format!("{name} is not a report: {error}")))
    }

    /// Returns the report as indented JSON with a newline at the end.
    #[must_use]
    pub fn json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("reports are plain data");
        json.push('\n');
        json
    }
}

/// Returns a part as a share; `None` when the whole is 0.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Returns the mean time between two batches of a viewer, over the seconds with messages and at least 99 % of the
/// most viewers: the window in force. `None` without such a second.
fn frame_interval_ms(series: &[Second]) -> Option<f64> {
    let peak = series.iter().map(|second| second.viewers).max()?;
    let full = series.iter().filter(|it| it.deliveries > 0 && it.viewers.saturating_mul(100) >= peak * 99);
    let (viewers, frames) = full.fold((0, 0), |sum, it| (sum.0 + it.viewers, sum.1 + it.frames));
    share(viewers, frames).map(|secs| secs * 1_000.0)
}

/// Says which part of the room a run was, where the rates are meant for a whole one.
fn note_of_part(scenario: &Scenario) -> Option<String> {
    let (meant, share) = (scenario.rates_for_viewers?, scenario.viewers_share());
    let (viewers, percent) = (scenario.viewers, share * 100.0);
    let note = format!(
        "{viewers} of the room's {meant} viewers ({percent:.2} %), each with the messages of the whole"
    );
    (viewers != meant).then_some(note)
}

/// Says how much of the load was not as planned: the rate of posts is the scenario's only when they leave in time.
fn note_of_late(total: &Interval) -> Option<String> {
    let (late, all) = (total.posts.late, total.posts.total());
    (late > 0).then(|| {
        format!(
            "{late} of {all} posts left the tester over 100 ms after their due time, or never: the planned rate was not \
             kept (`posts.late`)"
        )
    })
}

fn figures(run: &Run) -> Figures {
    let (total, balance) = (&run.total, &run.balance);
    let mut figures = Figures::new();
    total.deliveries().figures("", &mut figures);
    for (name, latency) in crate::measure::figure::LATENCIES.into_iter().zip(total.latencies()) {
        latency.figures(name, &mut figures);
    }
    let posts = &total.posts;
    let deliveries = run.gathered_series.iter().map(|second| second.deliveries);
    let whole = run.scenario.population().secs();
    let seconds = run.interrupted_at_secs.map_or(whole, |at| at.clamp(1.0, whole.max(1.0)));
    let peak = run.gathered_series.iter().map(|second| second.viewers).max();
    let waiting = run.gathered_series.iter().map(|second| second.waiting).max();
    let mut gateways = run.gathered_series.iter().filter_map(|second| second.gateways);
    let joins_most = gateways.clone().map(|it| it.joins_per_s_most).reduce(f64::max);
    let tester_secs: f64 = run.gathered_series.iter().map(|second| second.tester_cores).sum();
    let tester_us = (total.delivered.total() > 0).then(|| tester_secs * 1e6 / total.delivered.total() as f64);
    let gifts_doubled = (balance.gifts_owed > 0).then_some(balance.gifts_doubled as f64);
    let others = [
        ("loss.gift", share(balance.gifts_lost, balance.gifts_owed)),
        ("loss.chat", share(balance.chats_lost, balance.chats_owed)),
        ("doubled.gift", gifts_doubled),
        ("viewers.lost", share(balance.stays_lost, balance.stays)),
        ("posts.failed", share(posts.failed(), posts.total())),
        ("posts.refused", share(posts.refused(), posts.total())),
        ("posts.held", share(posts.held, posts.total())),
        ("posts.late", share(posts.late, posts.total())),
        ("history.failed", share(total.histories_failed.values().sum(), total.histories)),
        ("viewers.peak", peak.map(|peak| peak as f64)),
        ("viewers.moved_twice", Some(total.moved_twice as f64)),
        ("waiting.peak", waiting.map(|waiting| waiting as f64)),
        ("deliveries_per_s", Some(deliveries.clone().sum::<u64>() as f64 / seconds)),
        ("deliveries_per_s.max", deliveries.max().map(|most| most as f64)),
        ("frame.interval", frame_interval_ms(&run.gathered_series)),
        ("gateways.peak", gateways.clone().map(|it| it.count).max().map(|most| most as f64)),
        ("gateways.end", gateways.next_back().map(|it| it.count as f64)),
        ("gateway.joins_per_s.max", joins_most),
        ("tester.cpu_per_delivery", tester_us),
        ("tester.lag.p99", total.lag.quantile_ms(0.99)),
    ];
    figures.extend(others.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    figures
}

#[cfg(test)]
pub(crate) mod tests;
