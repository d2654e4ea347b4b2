//! The slowest tests of a run, from nextest's reports.

use super::reports;
use crate::run::say;

/// Number of slowest tests that are printed.
const SHOWN: usize = 10;

/// Prints the slowest tests of the last run of each profile.
pub(super) fn print(profiles: &[&str]) -> anyhow::Result<()> {
    let mut tests = Vec::new();
    for profile in profiles {
        tests.extend(reports::cases(profile).into_iter().map(|case| (case.secs, case.binary, case.name)));
    }
    tests.sort_by(|a, b| b.0.total_cmp(&a.0));
    say("\nslowest tests")?;
    tests
        .iter()
        .take(SHOWN)
        .try_for_each(|(secs, binary, name)| say(&format!("{secs:>8.1} s  {binary} {name}")))
}
