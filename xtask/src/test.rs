//! Runs the tests in tiers: fast, CI's, and full.

mod again;
mod reports;
mod slowest;

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

use self::again::Again;
use crate::fault::Fault;
use crate::run::{command, note, root, run};
use crate::simulate::Simulate;
use crate::web::{self, BrowserTests};
use crate::{chart, fault, fuzz, lint, setup, simulate};

/// Set of tests that one command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// Unit tests, and integration tests of one process.
    Fast,
    /// Everything that CI runs: lints, all tests, the page's build, the browser.
    Ci,
    /// CI's tests, those that take minutes, the simulation, the models, the fault scenarios, the fuzzing, the controller
    /// without its laboratory, as in the image, and the chart on an API server.
    Full,
}

/// Runs a tier and prints the slowest tests.
pub(crate) fn main(tier: Tier) -> anyhow::Result<()> {
    setup::check()?;
    if tier == Tier::Fast {
        run(nextest("fast", &[])?)?;
        web::unit_tests()?;
        return slowest::print(&["fast"]);
    }
    lint::all_but_clippy()?;
    chart::main(false, None)?;
    web::check_current()?;
    web::check_packages()?;
    web::unit_tests()?;
    run(nextest("together", &["--no-run"])?)?;
    let browser = Browser::start()?;
    let mut together = run(nextest("together", &["--no-fail-fast"])?);
    // Tests that measure time begin when the browser has ended.
    let mut browser = browser.finish();
    let mut again = Again::default();
    if together.is_err() {
        together = again.tests("together");
    }
    if browser.is_err() {
        browser = again.browser(BrowserTests::Beside);
    }
    let mut stage = run(web::browser_tests(BrowserTests::Alone)?);
    if stage.is_err() {
        stage = again.browser(BrowserTests::Alone);
    }
    let mut alone = run(nextest("alone", &["--no-fail-fast"])?);
    if alone.is_err() {
        alone = again.tests("alone");
    }
    slowest::print(&["together", "alone"])?;
    again.print()?;
    together.and(browser).and(stage).and(alone)?;
    if tier == Tier::Full {
        // A check of all its dependencies, which the other builds do not share.
        let alone = ["check", "--locked", "--package", "barrage-autoscaler", "--no-default-features"];
        run(command("cargo", &alone))?;
        // The channel behind proxies that cut idle connections, which takes minutes.
        run(nextest("together", &["--run-ignored", "only"])?)?;
        run(web::browser_tests(BrowserTests::Long)?)?;
        simulate::main(&Simulate::default())?;
        simulate::models()?;
        fuzz::for_seconds(fuzz::CI_SECONDS)?;
        fault::main(&Fault::long())?;
        fault::main(&Fault::all_quick())?;
        chart::cluster()?;
    }
    note("\nall tests passed");
    Ok(())
}

/// Returns a run of the tests with a profile of `.config/nextest.toml`.
///
/// Clippy's driver compiles the workspace with warnings denied: one build lints and makes the tests,
/// the examples and the programs. `cargo clippy` would check all dependencies a second time.
fn nextest(profile: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let program = setup::program("cargo-nextest")?;
    let run = ["nextest", "run", "--profile", profile, "--cargo-quiet", "--locked", "--workspace"];
    let targets = ["--lib", "--bins", "--tests", "--examples"];
    let mut test = command(&program.to_string_lossy(), &[&run[..], &targets, arguments].concat());
    test.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    // How cargo-clippy passes `-D warnings` to the driver.
    test.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    Ok(test)
}

/// The tests of the page, which run beside others and print at their end.
struct Browser {
    child: Child,
    began: Instant,
}

impl Browser {
    const OUTPUT: &'static str = "target/browser-tests.txt";

    fn start() -> anyhow::Result<Browser> {
        let output = File::create(root().join(Self::OUTPUT))?;
        let mut tests = web::browser_tests(BrowserTests::Beside)?;
        tests.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
        let child = tests.spawn().context("the browser tests cannot be started")?;
        note("\n==> npm run e2e:beside, beside the Rust tests");
        Ok(Browser { child, began: Instant::now() })
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        note(&format!("\n==> npm run e2e:beside\n{}", std::fs::read_to_string(root().join(Self::OUTPUT))?));
        note(&format!("    {:.1} s", self.began.elapsed().as_secs_f32()));
        if !status.success() {
            bail!("the browser tests failed ({status})");
        }
        Ok(())
    }
}

impl Drop for Browser {
    /// Ends the tests when an error ended their owner; a kill after the end changes nothing.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
