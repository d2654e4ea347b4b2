//! The page: its build, its types and its tests in a browser.

use anyhow::bail;

use crate::run::{command, root, run};
use crate::setup::npm;

/// Builds the page that is embedded in the server.
pub(crate) fn build() -> anyhow::Result<()> {
    modules()?;
    run(npm(&["run", "--silent", "build"])?)
}

/// Checks the types of the player page with its own npm script.
pub(crate) fn check_types() -> anyhow::Result<()> {
    modules()?;
    run(npm(&["run", "--silent", "check"])?)
}

/// Returns the command of the tests of the packages' logic, which need no browser and no server.
pub(crate) fn unit_tests() -> anyhow::Result<std::process::Command> {
    modules()?;
    npm(&["run", "--silent", "unit"])
}

/// Builds the packages for npm, and checks their sizes, their shape and their types.
pub(crate) fn check_packages() -> anyhow::Result<()> {
    modules()?;
    run(npm(&["run", "--silent", "packages"])?)?;
    run(npm(&["run", "--silent", "reference:check"])?)
}

/// Writes the reference of the SDK from the types of its packages.
pub(crate) fn reference() -> anyhow::Result<()> {
    modules()?;
    run(npm(&["run", "--silent", "reference"])?)
}

/// Fails when `web/dist`, which is checked in, is not the build of `web/packages` and `web/pages`.
pub(crate) fn check_current() -> anyhow::Result<()> {
    build()?;
    let changed = command("git", &["status", "--porcelain", "--", "web/dist"]).output()?;
    if !changed.stdout.is_empty() {
        bail!(
            "web/dist is not the build of web/packages and web/pages: run `cargo xtask web` and commit web/dist"
        );
    }
    Ok(())
}

/// Tests in a browser that a command runs.
#[derive(Debug, Clone)]
pub(crate) enum BrowserTests {
    /// Tests that may run beside the Rust tests.
    Beside,
    /// Tests of the stage, which measure time and frames.
    Alone,
    /// Ten minutes of messages, for the heap and the nodes of the page.
    Long,
    /// The tests of some files, by their paths below `web`.
    Files(Vec<String>),
}

/// Returns the command of the tests in a browser, on the server of the development build.
pub(crate) fn browser_tests(which: BrowserTests) -> anyhow::Result<std::process::Command> {
    let (script, files) = match which {
        BrowserTests::Beside => ("e2e:beside", Vec::new()),
        BrowserTests::Alone => ("e2e:alone", Vec::new()),
        BrowserTests::Long => ("e2e:long", Vec::new()),
        BrowserTests::Files(files) => ("e2e:files", files),
    };
    let mut tests = npm(&["run", "--silent", script])?;
    if !files.is_empty() {
        tests.arg("--").args(files);
    }
    tests.env("BARRAGE_BIN", root().join("target/debug/barrage"));
    Ok(tests)
}

/// Installs the page's packages when the folder is absent.
pub(crate) fn modules() -> anyhow::Result<()> {
    if root().join("web/node_modules/.package-lock.json").is_file() {
        return Ok(());
    }
    run(npm(&["ci", "--no-audit", "--no-fund"])?)
}
