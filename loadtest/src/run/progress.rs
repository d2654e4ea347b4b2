//! Progress of a run: a bar on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::figure::{Unit, thousands};
use crate::report::Second;
use crate::scenario::Scenario;

/// Seconds between two lines where there is no terminal.
const LINE_EVERY_SECS: u32 = 5;

pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Progress {
    pub(crate) fn new(quiet: bool, scenario: &Scenario, secs: f64) -> Self {
        if quiet {
            return Progress::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Progress::Lines;
        }
        let bar = ProgressBar::new(secs.ceil() as u64);
        let style = ProgressStyle::with_template("{prefix:.bold} {bar:24.cyan/dim} {pos}/{len} s\n{msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(scenario.name.clone());
        Progress::Bar(bar)
    }

    pub(crate) fn show(&mut self, second: &Second) {
        match self {
            Progress::Bar(bar) => {
                bar.set_position(u64::from(second.second) + 1);
                bar.set_message(lines(second).join("\n"));
            }
            Progress::Lines if (second.second + 1).is_multiple_of(LINE_EVERY_SECS) => {
                // A failed write to standard error has nowhere to be reported.
                drop(writeln!(
                    std::io::stderr().lock(),
                    "{:>4} s  {}",
                    second.second + 1,
                    lines(second).join("; ")
                ));
            }
            Progress::Lines | Progress::Quiet => {}
        }
    }

    /// Prints a line above the bar, or to standard error without a bar.
    pub(crate) fn note(&self, text: &str) {
        match self {
            Progress::Bar(bar) => bar.println(text),
            Progress::Lines | Progress::Quiet => drop(writeln!(std::io::stderr().lock(), "{text}")),
        }
    }

    pub(crate) fn finish(&mut self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Describes a second in three short lines, which fit into 80 columns.
fn lines(second: &Second) -> [String; 3] {
    let p99 = second.p99_ms.map_or_else(|| "-".into(), |p99| Unit::Ms.show(p99));
    [
        format!(
            "viewers {}/{}, {} waiting, {} connections lost",
            thousands(second.viewers as f64),
            thousands(second.wanted),
            thousands(second.waiting as f64),
            thousands(second.closes as f64),
        ),
        format!(
            "{} deliveries/s, p99 of this second {p99}, {} chat left out",
            thousands(second.deliveries as f64),
            thousands((second.left_out + second.skipped) as f64),
        ),
        format!(
            "{} posts/s: {} held, {} refused, {} failed",
            thousands(second.posts as f64),
            thousands(second.held as f64),
            thousands(second.refused as f64),
            thousands(second.failed as f64),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_lines_fit_into_80_columns() {
        let second = Second {
            viewers: 999_999,
            wanted: 1e6,
            waiting: 999_999,
            closes: 99_999,
            deliveries: 99_999_999,
            left_out: 99_999_999,
            posts: 999_999,
            held: 999_999,
            refused: 999_999,
            failed: 999_999,
            p99_ms: Some(123_456.0),
            ..Second::default()
        };
        for line in lines(&second) {
            assert!(line.chars().count() < 80, "{} columns: {line}", line.chars().count());
        }
        assert!(lines(&second)[1].contains("p99 of this second 123.5 s"));
    }
}
