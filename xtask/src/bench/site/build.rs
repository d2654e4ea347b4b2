//! The programs that a bench runs, built with one profile.

use crate::run::{command, run};

/// Programs that a bench runs, built with one profile.
pub(crate) struct Build {
    folder: String,
}

impl Build {
    /// Builds the server, the load tester and the parts of the benches.
    pub(crate) fn new(profile: &str) -> anyhow::Result<Build> {
        let packages = ["-p", "barrage", "-p", "barrage-loadtest", "-p", "barrage-bench"];
        run(command(
            "cargo",
            &[&["build", "--locked", "--bins", "--profile", profile], &packages[..]].concat(),
        ))?;
        Ok(Build { folder: format!("target/{profile}") })
    }

    /// Returns the path of a program, from the root of the workspace.
    pub(crate) fn program(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Returns the path of the server's binary, from the root of the workspace.
    pub(crate) fn barrage(&self) -> String {
        self.program("barrage")
    }
}
