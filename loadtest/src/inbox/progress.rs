//! Progress of a run of letters: a bar on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub(super) enum Progress {
    Bar(ProgressBar),
    Lines(Instant),
    Quiet,
}

impl Progress {
    pub(super) fn new(quiet: bool, name: &str) -> Self {
        if quiet {
            return Progress::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Progress::Lines(Instant::now());
        }
        let bar = ProgressBar::new(1);
        let style = ProgressStyle::with_template("{prefix:.bold} {bar:24.cyan/dim} {pos}/{len}\n{msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        Progress::Bar(bar)
    }

    /// Shows how far a step is.
    pub(super) fn show(&mut self, what: &str, at: u64, of: u64) {
        match self {
            Progress::Bar(bar) => {
                bar.set_length(of);
                bar.set_position(at);
                bar.set_message(what.to_owned());
            }
            Progress::Lines(last) if last.elapsed() >= LINE_EVERY => {
                *last = Instant::now();
                // A failed write to standard error has nowhere to be reported.
                drop(writeln!(std::io::stderr().lock(), "{what}: {at} of {of}"));
            }
            Progress::Lines(_) | Progress::Quiet => {}
        }
    }

    pub(super) fn finish(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
