//! Progress of the search: a bar on a terminal, a line for each trial elsewhere.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use super::axis::Axis;
use super::outcome::{Sample, Trial};
use super::search::Found;
use crate::measure::figure::thousands;

pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Progress {
    /// `searches` is the number of all searches.
    pub(crate) fn new(quiet: bool, searches: u32) -> Self {
        if quiet {
            return Progress::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Progress::Lines;
        }
        let bar = ProgressBar::new(u64::from(searches));
        let style = ProgressStyle::with_template(
            "{prefix:.bold} {bar:24.cyan/dim} {pos}/{len} searches  {elapsed} \n{wide_msg}",
        );
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix("capacity");
        bar.enable_steady_tick(std::time::Duration::from_secs(1));
        Progress::Bar(bar)
    }

    pub(crate) fn tries(&self, axis: Axis, repeat: u32, load: f64, found: Option<Found>) {
        let Progress::Bar(bar) = self else { return };
        let show = |load: Option<f64>| load.map_or_else(|| "nothing yet".into(), thousands);
        bar.set_message(format!(
            "{} (search {repeat}): trying {} {}; held {}; broke at {}",
            axis.key(),
            thousands(load),
            axis.unit(),
            show(found.map(|found| found.held)),
            show(found.and_then(|found| found.broke)),
        ));
    }

    pub(crate) fn tried(&self, axis: Axis, trial: &Trial) {
        let word =
            trial.broke.as_ref().map_or_else(|| "held".into(), |cause| format!("broke: {}", cause.text()));
        self.line(&format!("{:<20}{:>10} {:<18}{word}", axis.key(), thousands(trial.load), axis.unit()));
    }

    pub(crate) fn searched(&self, axis: Axis, repeat: u32, sample: &Sample) {
        self.line(&format!(
            "{:<20}search {repeat}: knee {} ({})",
            axis.key(),
            thousands(sample.knee),
            sample.ended.text()
        ));
        if let Progress::Bar(bar) = self {
            bar.inc(1);
        }
    }

    pub(crate) fn finish(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match self {
            Progress::Bar(bar) => bar.println(text),
            // A failed write to standard error has nowhere to be reported.
            Progress::Lines => drop(writeln!(std::io::stderr().lock(), "{text}")),
            Progress::Quiet => {}
        }
    }
}
