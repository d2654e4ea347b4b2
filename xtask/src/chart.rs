//! The checks of the Helm chart, which the real Helm engine runs (helm/check).

use std::process::Command;

use crate::run::{command, root, run};
use crate::setup;

/// Checks the chart. Writes its generated files first with `write`; `print` prints one value set instead.
pub(crate) fn main(write: bool, print: Option<&str>) -> anyhow::Result<()> {
    run(check(write, print)?)
}

/// Returns the command of the checks.
pub(crate) fn check(write: bool, print: Option<&str>) -> anyhow::Result<Command> {
    let mut check = script("check.py")?;
    check.args(write.then_some("--write"));
    if let Some(set) = print {
        check.args(["--print", set]);
    }
    Ok(check)
}

/// Runs the chart's life on a real API server, and its processes on loopback. Each script prints why it is
/// skipped.
pub(crate) fn cluster() -> anyhow::Result<()> {
    run(script("cluster/lifecycle.py")?)?;
    run(command(
        "cargo",
        &[
            "build",
            "--quiet",
            "--locked",
            "--package",
            "barrage",
            "--package",
            "barrage-autoscaler",
            "--package",
            "barrage-loadtest",
        ],
    ))?;
    for name in ["cluster/played.py", "cluster/whole.py"] {
        let mut processes = script(name)?;
        processes.arg("target/debug");
        run(processes)?;
    }
    Ok(())
}

/// Returns a script of helm/check, with the packages of `cargo xtask setup`.
fn script(name: &str) -> anyhow::Result<Command> {
    setup::program("helm engine")?;
    let mut script = command("python3", &[&format!("helm/check/{name}")]);
    script.env("PYTHONPATH", root().join("target/tools/helm")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(script)
}
