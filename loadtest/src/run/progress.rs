//! What a person sees while it runs: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use crate::figure::{Unit, thousands};
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
        let style =
            ProgressStyle::with_template("{prefix:.bold} {bar:24.cyan/dim} {pos}/{len} s\n{wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(scenario.name.clone());
        Progress::Bar(bar)
    }

    pub(crate) fn show(&mut self, second: &Second) {
        match self {
            Progress::Bar(bar) => {
                bar.set_position(u64::from(second.second) + 1);
                bar.set_message(text(second));
            }
            Progress::Lines if (second.second + 1).is_multiple_of(LINE_EVERY_SECS) => {
                // A closed stderr leaves nobody to tell.
                drop(writeln!(std::io::stderr().lock(), "{:>4} s  {}", second.second + 1, text(second)));
            }
            Progress::Lines | Progress::Quiet => {}
        }
    }

    pub(crate) fn finish(&mut self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn text(second: &Second) -> String {
    let p99 = second.p99_ms.map_or_else(|| "-".into(), |p99| Unit::Ms.show(p99));
    format!(
        "viewers {}/{} ({} waiting)  {} deliveries/s  p99 {p99}  chat left out {}  connections lost {}  {} posts/s \
         ({} held, {} refused, {} failed)",
        thousands(second.viewers as f64),
        thousands(second.wanted),
        thousands(second.waiting as f64),
        thousands(second.deliveries as f64),
        thousands((second.left_out + second.skipped) as f64),
        thousands(second.closes as f64),
        thousands(second.posts as f64),
        second.held,
        second.refused,
        second.failed,
    )
}
