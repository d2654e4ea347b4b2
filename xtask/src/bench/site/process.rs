//! Processes of a bench: pinned to a core, measured in `/proc`, ended with their owner.

use std::process::{Child, Command};

use anyhow::Context;

use crate::run::command;

/// Clock ticks per second in `/proc/PID/stat`, as Linux reports them to programs.
const TICKS_PER_S: f64 = 100.0;

/// Core of a process: one for the measured process, one for all others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Core {
    Measured,
    Others,
}

impl Core {
    /// Returns a command that runs on this core alone.
    pub(crate) fn command(self, program: &str, arguments: &[&str]) -> Command {
        let core = match self {
            Core::Measured => "0",
            Core::Others => "1",
        };
        command("taskset", &[&["-c", core, program], arguments].concat())
    }
}

/// A process that is killed when its owner is dropped.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    /// Returns the processor time used so far, in seconds.
    pub(crate) fn cpu_secs(&self) -> anyhow::Result<f64> {
        // utime and stime, counted from the field behind the name.
        self.ticks(11)
    }

    /// Returns the processor time of its children that have ended, in seconds.
    pub(crate) fn children_cpu_secs(&self) -> anyhow::Result<f64> {
        self.ticks(13)
    }

    /// Sums a field of `/proc/PID/stat` and the one behind it, in seconds.
    fn ticks(&self, at: usize) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
        let (user, system) = ticks(at).zip(ticks(at + 1)).context("/proc/PID/stat has no times")?;
        Ok((user + system) / TICKS_PER_S)
    }

    /// Returns the time for which the threads ran so far, in seconds. More exact than
    /// [`Process::cpu_secs`], which counts ticks of 10 ms; threads that have ended are not counted.
    pub(crate) fn run_secs(&self) -> anyhow::Result<f64> {
        let mut run_ns = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            // A thread may end meanwhile.
            let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let field = text.split(' ').next().and_then(|text| text.parse::<f64>().ok());
            run_ns += field.context("/proc/PID/task/TID/schedstat has no run time")?;
        }
        Ok(run_ns / 1e9)
    }

    /// Returns the resident memory of the process in bytes, as `/proc` shows it.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.context("/proc/PID/status has no VmRSS")?.trim().trim_end_matches(" kB");
        Ok(kib.parse::<f64>()? * 1_024.0)
    }
}
