//! The programs that a bench runs, built with one profile.

use crate::run::{command, run};

/// Programs that a bench runs, built with one profile.
pub(crate) struct Build {
    folder: String,
    barrage: Option<String>,
}

impl Build {
    /// Builds the parts of the benches, further packages, and the server where no binary of it is given.
    pub(crate) fn new(profile: &str, barrage: Option<String>, more: &[&str]) -> anyhow::Result<Build> {
        let mut packages = vec!["barrage-bench"];
        packages.extend_from_slice(more);
        packages.extend(barrage.is_none().then_some("barrage"));
        let mut cargo = command("cargo", &["build", "--locked", "--bins", "--profile", profile]);
        cargo.args(packages.iter().flat_map(|package| ["-p", package]));
        run(cargo)?;
        let folder = if profile == "dev" { "debug" } else { profile };
        Ok(Build { folder: format!("target/{folder}"), barrage })
    }

    /// Returns the path of a program, from the root of the workspace.
    pub(crate) fn program(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Returns the path of the server's binary, from the root of the workspace.
    pub(crate) fn barrage(&self) -> String {
        self.barrage.clone().unwrap_or_else(|| self.program("barrage"))
    }
}
