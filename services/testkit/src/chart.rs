//! The Helm chart as the real Helm engine renders it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Returns what each value set of helm/barrage/ci starts: its configuration files, and each process
/// with command, environment and hook. `cargo xtask setup` installs the engine.
#[must_use]
pub fn value_sets() -> Vec<Value> {
    let root = root();
    let output = Command::new("python3")
        .arg(root.join("helm/check/processes.py"))
        .env("PYTHONPATH", root.join("target/tools/helm"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 renders the chart");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the chart does not render (`cargo xtask setup` installs the engine): {errors}"
    );
    serde_json::from_slice(&output.stdout).expect("a list of value sets")
}

/// Returns the root folder of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
