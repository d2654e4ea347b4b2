//! The report of a run of letters, as in its JSON file, and its summary.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::scenario::InboxScenario;
use crate::measure::figure::{Figures, INBOX_LATENCIES, INBOX_OTHERS, STATISTICS, Unit, thousands, unit_of};
use crate::report::{Checked, Verdict};
use crate::run::RunOptions;

/// Version of the report's JSON format, written into each report.
const FORMAT: u32 = 1;
const MEMORY: &str = "writing to memory cannot fail";

/// Report of a run: its verdict, figures and counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InboxReport {
    /// Version of the report's JSON format, 1.
    pub format: u32,
    /// Scenario of the run, with the changes of the command line.
    pub scenario: InboxScenario,
    /// Base URL of the entry under test.
    pub target: String,
    /// Start time of the run, in seconds of Unix time.
    pub started_unix_secs: u64,
    /// Verdict on the run, which decides the exit code.
    pub verdict: Verdict,
    /// Each threshold, its measured value, and whether it holds.
    pub thresholds: Vec<Checked>,
    /// All figures of the run, by name.
    pub figures: Figures,
    /// Sums over the run, by name.
    pub counts: BTreeMap<String, u64>,
    /// What was refused or failed, by kind and reason.
    pub reasons: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Measurements of a run, before the verdict.
#[derive(Debug)]
pub(super) struct Measured {
    figures: Figures,
    counts: BTreeMap<String, u64>,
    reasons: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Measured {
    /// Returns measurements; kinds of reasons without any are left out.
    pub(super) fn new<const N: usize>(
        figures: Figures,
        counts: &[(&str, u64)],
        reasons: [(&str, BTreeMap<String, u64>); N],
    ) -> Self {
        let some = reasons.into_iter().filter(|(_, reasons)| !reasons.is_empty());
        Measured {
            figures,
            counts: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            reasons: some.map(|(kind, reasons)| (kind.to_owned(), reasons)).collect(),
        }
    }
}

impl InboxReport {
    /// Checks the thresholds and judges the run.
    pub(super) fn new(
        scenario: &InboxScenario,
        options: &RunOptions,
        started_unix_secs: u64,
        was_interrupted: bool,
        measured: Measured,
    ) -> Self {
        let Measured { figures, counts, reasons } = measured;
        let check = |threshold: &crate::scenario::threshold::Threshold| {
            let (value, holds) = threshold.check(&figures);
            Checked { threshold: threshold.clone(), value, holds }
        };
        let thresholds: Vec<_> = scenario.thresholds.iter().map(check).collect();
        let lag = figures.get("tester.lag.p99").copied().unwrap_or(0.0);
        let verdict = if was_interrupted {
            Verdict::Interrupted("the run was interrupted: the thresholds are not judged".into())
        } else if lag > scenario.tester_lag_p99_ms_max {
            Verdict::Invalid(format!(
                "the tester itself was the bottleneck: its own timers were late by {} at p99, more than the {} that \
                 the scenario allows; use fewer devices, or another machine for the tester",
                Unit::Ms.show(lag),
                Unit::Ms.show(scenario.tester_lag_p99_ms_max)
            ))
        } else if thresholds.iter().all(|checked| checked.holds) {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        InboxReport {
            format: FORMAT,
            scenario: scenario.clone(),
            target: options.target.clone(),
            started_unix_secs,
            verdict,
            thresholds,
            figures,
            counts,
            reasons,
        }
    }

    /// Returns the report as indented JSON with a newline at the end.
    #[must_use]
    pub fn json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("reports are plain data");
        json.push('\n');
        json
    }
}

/// Returns the summary at the end of a run, for the terminal.
#[must_use]
pub fn summary(report: &InboxReport) -> String {
    let mut out = format!("{}: {}\n", report.scenario.name, report.verdict.label());
    if let Some(because) = report.verdict.because() {
        writeln!(out, "  {because}").expect(MEMORY);
    }
    write!(out, "\n  {:<12}", "latency").expect(MEMORY);
    STATISTICS.iter().for_each(|(name, _)| write!(out, "{name:>12}").expect(MEMORY));
    out.push('\n');
    for latency in std::iter::once("post").chain(INBOX_LATENCIES) {
        if !report.figures.contains_key(&format!("{latency}.p50")) {
            continue;
        }
        write!(out, "  {latency:<12}").expect(MEMORY);
        for (name, _) in STATISTICS {
            write!(out, "{:>12}", show(report, &format!("{latency}.{name}"))).expect(MEMORY);
        }
        out.push('\n');
    }
    out.push('\n');
    let measured = INBOX_OTHERS.iter().filter(|(name, ..)| report.figures.contains_key(*name));
    for (name, _, about) in measured {
        writeln!(out, "  {name:<18}{:>12}  {about}", show(report, name)).expect(MEMORY);
    }
    let counts = report.counts.iter().map(|(name, count)| format!("{name} {}", thousands(*count as f64)));
    writeln!(out, "\n  {}", counts.collect::<Vec<_>>().join("   ")).expect(MEMORY);
    for (kind, reasons) in &report.reasons {
        let each = reasons.iter().map(|(reason, count)| format!("{reason} {count}"));
        writeln!(out, "  {kind}: {}", each.collect::<Vec<_>>().join(", ")).expect(MEMORY);
    }
    out.push('\n');
    for checked in &report.thresholds {
        let word = if checked.holds { "holds " } else { "BROKEN" };
        let was = show(report, checked.threshold.figure());
        writeln!(out, "  {word}  {} (was {was})", checked.threshold).expect(MEMORY);
    }
    out
}

fn show(report: &InboxReport, name: &str) -> String {
    let value = report.figures.get(name).copied().zip(unit_of(name));
    value.map_or_else(|| "-".into(), |(value, unit)| unit.show(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(figures: &[(&str, f64)], was_interrupted: bool) -> InboxReport {
        let scenario = InboxScenario::parse(super::super::SHIPPED[0].1).unwrap();
        let figures = figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let reasons = [("refused letters", BTreeMap::from([("rate_limited".to_owned(), 2)]))];
        let measured = Measured::new(figures, &[("letters", 15_000)], reasons);
        InboxReport::new(&scenario, &RunOptions::default(), 0, was_interrupted, measured)
    }

    const GOOD: [(&str, f64); 7] = [
        ("letter.p50", 40.0),
        ("letter.p99", 90.0),
        ("letters.lost", 0.0),
        ("letters.late", 0.0),
        ("letters.failed", 0.0),
        ("letters.refused", 0.0),
        ("devices.lost", 0.0),
    ];

    #[test]
    fn broken_threshold_fails_the_run_and_is_named() {
        assert_eq!(report(&GOOD, false).verdict, Verdict::Passed);
        assert_eq!(report(&GOOD, true).verdict.exit_code(), 130);
        assert_eq!(report(&GOOD[1..], false).verdict, Verdict::Passed);
        assert_eq!(report(&GOOD[..6], false).verdict, Verdict::Failed, "what was not measured does not hold");
        let mut slow = GOOD;
        slow[1].1 = 300.0;
        let text = summary(&report(&slow, false));
        assert!(
            text.starts_with("letters: failed") && text.contains("BROKEN  letter.p99 < 250ms (was 300 ms)"),
            "{text}"
        );
        assert!(text.contains("rate_limited 2") && text.contains("letters 15,000"), "{text}");
        let lagged: Vec<_> = GOOD.into_iter().chain([("tester.lag.p99", 200.0)]).collect();
        assert_eq!(report(&lagged, false).verdict.exit_code(), 2);
    }

    #[test]
    fn report_is_read_back_from_its_json() {
        let written = report(&GOOD, false);
        let read: InboxReport = serde_json::from_str(&written.json()).unwrap();
        assert_eq!((read.figures, read.scenario), (written.figures, written.scenario));
    }
}
