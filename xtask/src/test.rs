//! Runs the tests in tiers: fast, CI's, and full.

mod again;
mod beside;
mod reports;
mod slowest;
mod temporary;

use std::process::Command;

use self::again::Again;
use self::beside::Beside;
use crate::fault::Fault;
use crate::run::{command, note, run};
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
    let passed = run_tier(tier);
    temporary::remove();
    passed
}

/// Compiles the tests, without the programs of `cargo xtask setup`: CI installs those meanwhile.
pub(crate) fn compile() -> anyhow::Result<()> {
    let arguments = ["test", "--no-run", "--quiet", "--locked", "--workspace"];
    run(linting(command("cargo", &[&arguments[..], &TARGETS].concat())))
}

fn run_tier(tier: Tier) -> anyhow::Result<()> {
    if tier == Tier::Fast {
        run(nextest("fast", &[])?)?;
        run(web::unit_tests()?)?;
        return slowest::print(&["fast"], Vec::new());
    }
    let chart = Beside::start("the checks of the chart", chart::check(false, None)?)?;
    lint::all_but_clippy()?;
    // Before the build, which embeds the page.
    web::check_current()?;
    let build = Beside::start("the build of the tests", nextest("together", &["--no-run"])?)?;
    web::check_packages()?;
    chart.finish()?;
    build.finish()?;
    reports::forget_browser();
    let browser = Beside::start("npm run e2e:beside", browser_tests(BrowserTests::Beside)?)?;
    let unit = Beside::start("npm run unit", web::unit_tests()?)?;
    let mut together = run(nextest("together", &["--no-fail-fast"])?);
    let unit = unit.finish();
    // Tests that measure time begin when the browser has ended.
    let mut browser = browser.finish();
    let browser_cases = reports::browser_cases();
    let mut again = Again::default();
    if together.is_err() {
        together = again.tests("together");
    }
    if browser.is_err() {
        browser = again.browser(browser_cases.clone());
    }
    reports::forget_browser();
    let mut stage = run(browser_tests(BrowserTests::Alone)?);
    if stage.is_err() {
        stage = again.browser(reports::browser_cases());
    }
    let mut alone = run(nextest("alone", &["--no-fail-fast"])?);
    if alone.is_err() {
        alone = again.tests("alone");
    }
    slowest::print(&["together", "alone"], browser_cases)?;
    again.print()?;
    together.and(unit).and(browser).and(stage).and(alone)?;
    if tier == Tier::Full {
        // A check of all its dependencies, which the other builds do not share.
        let alone = ["check", "--locked", "--package", "barrage-autoscaler", "--no-default-features"];
        run(command("cargo", &alone))?;
        setup::compile_s3s_fs()?;
        // The channel behind proxies that cut idle connections, which takes minutes.
        run(nextest("together", &["--run-ignored", "only"])?)?;
        run(browser_tests(BrowserTests::Long)?)?;
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

/// What is compiled: neither benches nor documentation tests.
const TARGETS: [&str; 4] = ["--lib", "--bins", "--tests", "--examples"];

/// Returns a run of the tests with a profile of `.config/nextest.toml`.
fn nextest(profile: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let program = setup::program("cargo-nextest")?;
    let run = ["nextest", "run", "--profile", profile, "--cargo-quiet", "--locked", "--workspace"];
    let test = command(&program.to_string_lossy(), &[&run[..], &TARGETS, arguments].concat());
    Ok(temporary::in_memory(linting(test)))
}

/// Lets Clippy's driver compile the workspace with warnings denied: one build lints and makes the tests,
/// the examples and the programs. `cargo clippy` would check all dependencies a second time.
fn linting(mut build: Command) -> Command {
    build.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    // How cargo-clippy passes `-D warnings` to the driver.
    build.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    build
}

fn browser_tests(which: BrowserTests) -> anyhow::Result<Command> {
    web::browser_tests(which).map(temporary::in_memory)
}
