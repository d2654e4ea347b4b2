//! A command that runs beside others and prints at its end.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::run::{note, root};

/// A started command. Killed when the value is dropped before its end.
pub(super) struct Beside {
    name: &'static str,
    child: Child,
    began: Instant,
}

impl Beside {
    /// Starts a command, whose output goes to a file in `target` until its end.
    pub(super) fn start(name: &'static str, mut command: Command) -> anyhow::Result<Beside> {
        let output = File::create(output(name))?;
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        note(&format!("\n==> {name}, beside what follows"));
        Ok(Beside { name, child, began: Instant::now() })
    }

    /// Waits for the end, and prints output and time.
    ///
    /// # Errors
    /// The command failed.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        note(&format!("\n==> {}\n{}", self.name, std::fs::read_to_string(output(self.name))?));
        note(&format!("    {:.1} s", self.began.elapsed().as_secs_f32()));
        if !status.success() {
            bail!("{} failed ({status})", self.name);
        }
        Ok(())
    }
}

fn output(name: &str) -> std::path::PathBuf {
    root().join("target").join(format!("{}.txt", name.replace(' ', "-")))
}

impl Drop for Beside {
    /// Ends the command when an error ended its owner; a kill after the end changes nothing.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
