//! Packages and dependencies, as `cargo metadata` lists them.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::run::command;

/// A package of the workspace or of a registry.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) rust_version: Option<String>,
    /// Whether the package is a member of this workspace.
    pub(crate) is_ours: bool,
    pub(crate) manifest: PathBuf,
    /// Names of its dependencies, without those of tests alone.
    pub(crate) dependencies: Vec<String>,
    /// Its libraries and programs.
    pub(crate) targets: Vec<Target>,
}

/// A library or a program of a package.
#[derive(Debug)]
pub(crate) struct Target {
    /// `lib`, `bin` or `proc-macro`.
    pub(crate) kind: String,
    pub(crate) root: PathBuf,
    /// Whether the build of the tests compiles its unit tests.
    pub(crate) is_tested: bool,
}

/// All packages that the lock file names.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

impl Metadata {
    pub(crate) fn read() -> anyhow::Result<Metadata> {
        let output = command("cargo", &["metadata", "--locked", "--format-version", "1"]).output()?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let value: Value = serde_json::from_slice(&output.stdout)?;
        let packages = value["packages"].as_array().context("cargo metadata listed no packages")?;
        Ok(Metadata { packages: packages.iter().map(Package::from_json).collect() })
    }

    /// Returns the packages that are members of the workspace.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_ours)
    }
}

impl Package {
    fn from_json(value: &Value) -> Package {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let dependencies = value["dependencies"].as_array().into_iter().flatten();
        let targets = value["targets"].as_array().into_iter().flatten().map(Target::from_json);
        let of_product = dependencies.filter(|dependency| dependency["kind"] != "dev");
        Package {
            name: text(&value["name"]),
            version: text(&value["version"]),
            rust_version: value["rust_version"].as_str().map(str::to_owned),
            is_ours: value["source"].is_null(),
            manifest: text(&value["manifest_path"]).into(),
            dependencies: of_product.map(|dependency| text(&dependency["name"])).collect(),
            targets: targets.filter(|target| UNIT_TESTED.contains(&target.kind.as_str())).collect(),
        }
    }
}

/// Kinds of targets whose files hold unit tests.
const UNIT_TESTED: [&str; 3] = ["lib", "bin", "proc-macro"];

impl Target {
    fn from_json(value: &Value) -> Target {
        Target {
            kind: value["kind"][0].as_str().unwrap_or_default().to_owned(),
            root: value["src_path"].as_str().unwrap_or_default().into(),
            is_tested: value["test"].as_bool().unwrap_or(true),
        }
    }
}
