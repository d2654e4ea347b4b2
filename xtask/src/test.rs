//! The test tiers, in the order in which they fail fastest.

use anyhow::bail;

use crate::run::{command, note, root, run};
use crate::{dependencies, install, lint_paths};

/// Everything.
pub(crate) fn all() -> anyhow::Result<()> {
    install::programs()?;
    install::nats_server()?;
    web_modules()?;
    web_is_current()?;
    lint_all_but_rust()?;
    run(linting_test(&["--no-run", "--quiet"]))?;
    run(linting_test(&["--no-fail-fast"]))?;
    browser()?;
    note("\nall tests passed");
    Ok(())
}

/// Format, paths, dependencies, clippy, and the page's types.
pub(crate) fn lint() -> anyhow::Result<()> {
    lint_all_but_rust()?;
    let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    run(command("cargo", &clippy))
}

fn lint_all_but_rust() -> anyhow::Result<()> {
    lint_paths::check()?;
    run(command("cargo", &["fmt", "--all", "--check"]))?;
    dependencies::check()?;
    web_modules()?;
    run(npm(&["run", "--silent", "check"])?)
}

/// `cargo test` of all targets, compiled by clippy's driver with warnings denied: one build lints
/// and makes the tests, the examples and the server binary. `cargo clippy` would check all
/// dependencies a second time. There are no doctests.
fn linting_test(arguments: &[&str]) -> std::process::Command {
    let targets = ["test", "--locked", "--workspace", "--lib", "--bins", "--tests", "--examples"];
    let mut test = command("cargo", &[&targets, arguments].concat());
    test.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    // How cargo-clippy passes `-D warnings` to the driver.
    test.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    test
}

/// Rebuilds the embedded page.
pub(crate) fn web_build() -> anyhow::Result<()> {
    web_modules()?;
    run(npm(&["run", "--silent", "build"])?)
}

fn npm(arguments: &[&str]) -> anyhow::Result<std::process::Command> {
    let mut npm = command("npm", arguments);
    npm.current_dir(root().join("web"));
    if let Some(newer) = install::newer_node()? {
        let path = std::env::var_os("PATH").unwrap_or_default();
        npm.env("PATH", std::env::join_paths(std::iter::once(newer).chain(std::env::split_paths(&path)))?);
    }
    Ok(npm)
}

fn web_modules() -> anyhow::Result<()> {
    if root().join("web/node_modules/.package-lock.json").is_file() {
        return Ok(());
    }
    run(npm(&["ci", "--no-audit", "--no-fund"])?)
}

/// The build that is checked in, and embedded, must be the build of the sources.
fn web_is_current() -> anyhow::Result<()> {
    web_build()?;
    let changed = command("git", &["status", "--porcelain", "--", "web/dist"]).output()?;
    if !changed.stdout.is_empty() {
        bail!("web/dist is not the build of web/src: run `cargo xtask web` and commit it");
    }
    Ok(())
}

fn browser() -> anyhow::Result<()> {
    let mut e2e = npm(&["run", "--silent", "e2e"])?;
    e2e.env("BARRAGE_BIN", root().join("target/debug/barrage"));
    run(e2e)
}
