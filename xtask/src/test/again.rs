//! The second run of failed tests, alone: it tells a busy machine from a defect.

use super::{browser_tests, nextest, reports};
use crate::run::{run, say};
use crate::web::BrowserTests;
use anyhow::bail;

/// Maximum tests of a profile that run a second time. More failures are no accident of a busy machine.
const TESTS_MAX: usize = 8;
/// Maximum files of the browser's tests that run a second time, each as a whole: its tests share a server.
const FILES_MAX: usize = 5;

/// The tests that passed only in their second run.
#[derive(Debug, Default)]
pub(super) struct Again(Vec<String>);

impl Again {
    /// Runs the failed tests of a profile once more, one at a time with nothing beside them.
    ///
    /// # Errors
    /// A test failed again, or too many had failed.
    pub(super) fn tests(&mut self, profile: &str) -> anyhow::Result<()> {
        let failed: Vec<_> = reports::cases(profile).into_iter().filter(|case| case.failed).collect();
        if failed.is_empty() || failed.len() > TESTS_MAX {
            bail!("{} tests failed beside others; up to {TESTS_MAX} are run again", failed.len());
        }
        let one = |case: &reports::Case| format!("(binary_id(={}) & test(={}))", case.binary, case.name);
        let filter = failed.iter().map(one).collect::<Vec<_>>().join(" | ");
        run(nextest("again", &["--no-fail-fast", "--filterset", &filter])?)?;
        self.0.extend(failed.into_iter().map(|case| format!("{} {}", case.binary, case.name)));
        Ok(())
    }

    /// Runs the files of the browser's failed tests once more, with nothing beside them.
    ///
    /// # Errors
    /// A test failed again, too many files had failed, or no report names them.
    pub(super) fn browser(&mut self, cases: Vec<reports::Case>) -> anyhow::Result<()> {
        let failed: Vec<_> = cases.into_iter().filter(|case| case.failed).collect();
        let mut files: Vec<_> = failed.iter().map(|case| case.binary.clone()).collect();
        files.dedup();
        if files.is_empty() || files.len() > FILES_MAX {
            bail!("{} files of the browser's tests failed; up to {FILES_MAX} are run again", files.len());
        }
        run(browser_tests(BrowserTests::Files(files))?)?;
        self.0.extend(failed.into_iter().map(|case| format!("{} {}", case.binary, case.name)));
        Ok(())
    }

    /// Names the tests that passed only alone: each is a defect of the test, or of the code under load.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        self.0.iter().try_for_each(|name| say(&format!("FLAKY: failed at first, passed alone: {name}")))
    }
}
