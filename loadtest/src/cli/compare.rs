//! `compare`: compares the runs of two builds.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::io::{say, write};
use crate::error::LoadtestError;
use crate::report::{self, Gate, Report, Verdict};

/// Exit code of a comparison that meets a condition of --fail-on.
const FAILED: u8 = 1;
/// Exit code of a comparison with an invalid or interrupted run.
const SAYS_NOTHING: u8 = 2;

/// Compare two builds, from the JSON files of their runs.
///
/// With three or more runs of each, medians are compared, and a difference is called better or
/// worse only when it is larger than the spread of either side.
///
///   barrage-loadtest run celebrity --repeat 5 --json before.json
///   barrage-loadtest compare before-*.json --to after-*.json --fail-on 'p99 > +10%'
///
/// Exit codes: 0, or with --fail-on 1 when a condition is met, and 2 when a run is invalid.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Compare {
    /// Runs of the first build. Without --to: one run of each build.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Runs of the second build.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    to: Vec<PathBuf>,
    /// Exit with 1 when this condition is met: a change, as in `p99 > +10%` or `deliveries_per_s <
    /// -5%`, that is also larger than the spread; or a condition on the second build, as in
    /// `loss.gift > 0`.
    #[arg(long, value_name = "CONDITION")]
    fail_on: Vec<Gate>,
    /// Also write a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Compare {
    pub(crate) fn execute(self) -> Result<u8, LoadtestError> {
        let (before, after) = match (self.files.as_slice(), self.to.as_slice()) {
            ([before, after], []) => (vec![before], vec![after]),
            (_, []) => {
                let usage = "name the runs of the second build with --to: compare BEFORE... --to AFTER...";
                return Err(LoadtestError::Usage(usage.into()));
            }
            (before, after) => (before.iter().collect(), after.iter().collect()),
        };
        let read = |paths: Vec<&PathBuf>| {
            paths.into_iter().map(|path| Report::read(path)).collect::<Result<Vec<_>, _>>()
        };
        let (a, b) = (read(before)?, read(after)?);
        if let Some(path) = &self.html {
            write(path, &report::compare_html(&a, &b))?;
        }
        say(&report::compare_text(&a, &b))?;
        Ok(self.judge(&a, &b))
    }

    fn judge(&self, a: &[Report], b: &[Report]) -> u8 {
        let failed: Vec<_> = self.fail_on.iter().filter_map(|gate| gate.fails(a, b)).collect();
        for failure in &failed {
            // A failed write to standard error has nowhere to be reported.
            drop(writeln!(std::io::stderr().lock(), "fails on {failure}"));
        }
        let says_nothing =
            |run: &Report| matches!(run.verdict, Verdict::Invalid(_) | Verdict::Interrupted(_));
        match failed.is_empty() {
            false => FAILED,
            true if !self.fail_on.is_empty() && a.iter().chain(b).any(says_nothing) => SAYS_NOTHING,
            true => 0,
        }
    }
}
