//! Checks of the dependencies: licences, sources, duplicates, known vulnerabilities, and the oldest
//! compiler that they allow.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::metadata::{Metadata, Package};
use crate::run::{command, note, root, run};
use crate::setup;

/// Runs all checks; the first failure ends them.
pub(crate) fn check(metadata: &Metadata) -> anyhow::Result<()> {
    let too_new = newer_than_ours(metadata)?;
    if !too_new.is_empty() {
        bail!("raise `rust-version` in Cargo.toml: {}", too_new.join(", "));
    }
    deny(None)
}

/// Runs `cargo deny check` offline. Vulnerabilities are checked where the machine has a copy of the
/// advisory database, or with `advisories`, a clone of it.
pub(crate) fn deny(advisories: Option<&Path>) -> anyhow::Result<()> {
    if let Some(clone) = advisories {
        copy_advisories(clone)?;
    }
    let program = setup::program("cargo-deny")?;
    let mut deny = command(&program.to_string_lossy(), &["--offline", "--locked"]);
    let database = [root().join(DATABASES), own_databases().unwrap_or_default()];
    let Some(database) = database.into_iter().find(|folder| folder.is_dir()) else {
        note(
            "known vulnerabilities were not checked: `cargo deny fetch db` downloads the advisory database, and \
             `cargo xtask deny --advisories FOLDER` takes a clone of it",
        );
        deny.args(["check", "licenses", "sources", "bans"]);
        return run(deny);
    };
    // The path of the database is no option of the program, and differs between machines.
    let config = std::fs::read_to_string(root().join("deny.toml"))?;
    let file = root().join("target/deny.toml");
    std::fs::write(&file, with_database(&config, &database))?;
    deny.arg("--config").arg(file).args(["check", "licenses", "sources", "bans", "advisories"]);
    run(deny)
}

/// Folder of a copy that `cargo xtask deny --advisories` has made.
const DATABASES: &str = "target/advisory-dbs";
/// Name under which cargo-deny looks for the database of `rustsec/advisory-db`.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// Clones a clone of the database to where cargo-deny finds it. The fetch writes the time that cargo-deny reads.
fn copy_advisories(clone: &Path) -> anyhow::Result<()> {
    let folder = root().join(DATABASES).join(DATABASE);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let mut copy = Command::new("git");
    copy.args(["clone", "--quiet"]).arg(clone).arg(&folder);
    run(copy)?;
    let mut fetch = Command::new("git");
    fetch.arg("-C").arg(&folder).args(["fetch", "--quiet"]);
    run(fetch)
}

/// Returns the text of `deny.toml` with the folder of the databases.
fn with_database(config: &str, database: &Path) -> String {
    let table = "[advisories]\n";
    config.replacen(table, &format!("{table}db-path = {database:?}\n"), 1)
}

/// Returns the folder of cargo-deny's own copies of the database.
fn own_databases() -> Option<PathBuf> {
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
            targets: Vec::new(),
        }
    }

    #[test]
    fn the_configuration_of_cargo_deny_gets_the_folder_of_the_database() {
        let config = std::fs::read_to_string(root().join("deny.toml")).unwrap();
        let with = with_database(&config, Path::new("/a b/dbs"));
        assert!(with.contains("[advisories]\ndb-path = \"/a b/dbs\"\n"), "{with}");
        assert_eq!(with.lines().count(), config.lines().count() + 1);
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
