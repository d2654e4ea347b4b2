//! The slowest tests of a run, from its reports.

use super::reports;
use crate::run::say;

/// Number of slowest tests that are printed.
const SHOWN: usize = 10;

/// Prints the slowest tests of the last run of each profile, and of tests in a browser.
pub(super) fn print(profiles: &[&str], browser: Vec<reports::Case>) -> anyhow::Result<()> {
    let mut tests = browser;
    for profile in profiles {
        tests.extend(reports::cases(profile));
    }
    tests.sort_by(|a, b| b.secs.total_cmp(&a.secs));
    say("\nslowest tests")?;
    tests
        .iter()
        .take(SHOWN)
        .try_for_each(|test| say(&format!("{:>8.1} s  {} {}", test.secs, test.binary, test.name)))
}
