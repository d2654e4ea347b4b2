//! Checks of the dependencies: licences, sources, duplicates, known vulnerabilities, and the oldest
//! compiler that they allow.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::install;
use crate::run::{command, note, run};

/// Runs all checks; the first one that fails ends them.
pub(crate) fn check() -> anyhow::Result<()> {
    let metadata = command("cargo", &["metadata", "--locked", "--format-version", "1"]).output()?;
    if !metadata.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&metadata.stderr));
    }
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let too_new = newer_than_ours(&metadata)?;
    if !too_new.is_empty() {
        bail!("raise `rust-version` in Cargo.toml: {}", too_new.join(", "));
    }
    deny()
}

/// `cargo deny check`, offline. Vulnerabilities are checked when a copy of the advisory database is there.
fn deny() -> anyhow::Result<()> {
    let program = install::cargo_deny()?;
    let mut checks = vec!["--offline", "--locked", "check", "licenses", "sources", "bans"];
    if advisory_database().is_some_and(|folder| folder.is_dir()) {
        checks.insert(3, "--disable-fetch");
        checks.push("advisories");
    } else {
        note("known vulnerabilities were not checked: no advisory database; `cargo deny fetch db` gets one");
    }
    run(command(&program.to_string_lossy(), &checks))
}

/// Where cargo-deny keeps its copies of the database.
fn advisory_database() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))?;
    Some(home.join("advisory-dbs"))
}

/// Locked crates whose `rust-version` is above the workspace's, as `name version needs N`.
fn newer_than_ours(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let version = |package: &Value| package["rust_version"].as_str().map(minor);
    let ours = packages
        .iter()
        .filter(|package| package["source"].is_null())
        .filter_map(version)
        .min()
        .context("no crate of the workspace says its rust-version")?;
    let described = |package: &Value| {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} needs {}", text("name"), text("version"), text("rust_version"))
    };
    Ok(packages.iter().filter(|p| version(p).is_some_and(|theirs| theirs > ours)).map(described).collect())
}

/// `1.94.0` and `1.94` are 94.
fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, rust_version: &str, source: Option<&str>) -> Value {
        serde_json::json!({"name": name, "version": "1.0.0", "rust_version": rust_version, "source": source})
    }

    #[test]
    fn a_dependency_that_needs_a_newer_compiler_is_named() {
        let registry = Some("registry");
        let packages = [
            package("ours", "1.94", None),
            package("old", "1.63.0", registry),
            package("new", "1.95", registry),
        ];
        let found = newer_than_ours(&serde_json::json!({ "packages": packages })).unwrap();
        assert_eq!(found, ["new 1.0.0 needs 1.95"]);
    }
}
