//! The generated files are current, well-formed, and about metrics that exist; every alert fires and
//! clears.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod current;
mod grafana;
mod known;
mod objectives;
mod promtool;
mod runbooks;
mod shape;

use std::path::PathBuf;

/// Reads a file of the repository.
fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
