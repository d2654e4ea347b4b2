//! Checks without a run of the code: format, clippy, paths, layers, unit tests, dependencies, prose, the image's
//! Dockerfile, the page's types.

pub(crate) mod dependencies;
mod image;
pub(crate) mod import_tables;
mod layers;
pub(crate) mod metadata;
mod paths;
mod prose;
mod security_map;
mod unit_tests;

use crate::run::{command, run};
use crate::web;

/// Runs all checks; the first failure ends them.
pub(crate) fn main() -> anyhow::Result<()> {
    all_but_clippy()?;
    let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    run(command("cargo", &clippy))
}

/// Runs the checks that compile nothing; the build of the tests runs clippy itself.
pub(crate) fn all_but_clippy() -> anyhow::Result<()> {
    paths::check()?;
    prose::check()?;
    security_map::check()?;
    image::check()?;
    import_tables::check()?;
    run(command("cargo", &["fmt", "--all", "--check"]))?;
    let metadata = metadata::Metadata::read()?;
    layers::check(&metadata)?;
    unit_tests::check(&metadata)?;
    dependencies::check(&metadata)?;
    web::check_types()
}
