//! Checks of the dependencies: licences, sources, duplicates, known vulnerabilities, and the oldest
//! compiler that they allow.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::metadata::{Metadata, Package};
use crate::run::{command, note, run};
use crate::setup;

/// Runs all checks; the first failure ends them.
pub(crate) fn check(metadata: &Metadata) -> anyhow::Result<()> {
    let too_new = newer_than_ours(metadata)?;
    if !too_new.is_empty() {
        bail!("raise `rust-version` in Cargo.toml: {}", too_new.join(", "));
    }
    deny()
}

/// Runs `cargo deny check` offline. Vulnerabilities are checked where the machine has a copy of the
/// advisory database.
fn deny() -> anyhow::Result<()> {
    let program = setup::program("cargo-deny")?;
    let mut checks = vec!["--offline", "--locked", "check", "licenses", "sources", "bans"];
    if advisory_database().is_some_and(|folder| folder.is_dir()) {
        checks.insert(3, "--disable-fetch");
        checks.push("advisories");
    } else {
        note(
            "known vulnerabilities were not checked: no advisory database; `cargo deny fetch db` downloads it",
        );
    }
    run(command(&program.to_string_lossy(), &checks))
}

/// Returns the folder of cargo-deny's copies of the database.
fn advisory_database() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))?;
    Some(home.join("advisory-dbs"))
}

/// Returns the locked packages that need a newer compiler than the workspace, as `name version needs N`.
fn newer_than_ours(metadata: &Metadata) -> anyhow::Result<Vec<String>> {
    let minor_of = |package: &Package| package.rust_version.as_deref().map(minor);
    let ours =
        metadata.ours().filter_map(minor_of).min().context("no crate of the workspace has a rust-version")?;
    let described = |package: &Package| {
        let needed = package.rust_version.as_deref().unwrap_or_default();
        format!("{} {} needs {needed}", package.name, package.version)
    };
    let newer =
        metadata.packages.iter().filter(|package| minor_of(package).is_some_and(|theirs| theirs > ours));
    Ok(newer.map(described).collect())
}

/// Returns 94 for `1.94.0` and for `1.94`.
fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, rust_version: &str, is_ours: bool) -> Package {
        Package {
            name: name.into(),
            version: "1.0.0".into(),
            rust_version: Some(rust_version.into()),
            is_ours,
            manifest: PathBuf::new(),
            dependencies: Vec::new(),
        }
    }

    #[test]
    fn dependency_that_needs_a_newer_compiler_is_listed() {
        let packages = vec![
            package("ours", "1.94", true),
            package("old", "1.63.0", false),
            package("new", "1.95", false),
        ];
        let found = newer_than_ours(&Metadata { packages }).unwrap();
        assert_eq!(found, ["new 1.0.0 needs 1.95"]);
    }
}
