//! Counts of instructions by Valgrind's callgrind. Equal work costs an equal count, whatever else the
//! machine does.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use super::Core;
use crate::run::{command, on_path, root};

/// Programs of the Debian package `valgrind`.
const PROGRAMS: [&str; 2] = ["valgrind", "callgrind_control"];

/// What each thread of a process did while it was counted.
pub(crate) struct CountedThreads {
    /// By Valgrind's number of the thread.
    threads: BTreeMap<String, Counted>,
}

impl CountedThreads {
    /// Returns what the whole process did.
    pub(crate) fn sum(&self) -> Counted {
        let sum = |of: fn(&Counted) -> f64| self.threads.values().map(of).sum();
        let secs = self.threads.values().next().map_or(0.0, |thread| thread.secs);
        Counted {
            instructions: sum(|thread| thread.instructions),
            system_calls: sum(|thread| thread.system_calls),
            secs,
        }
    }

    /// Returns the number of the thread with most system calls: in a gateway with one shard and many
    /// viewers, the thread that writes to them.
    pub(crate) fn busiest(&self) -> Option<&str> {
        let by_calls =
            |one: &(_, &Counted), two: &(_, &Counted)| one.1.system_calls.total_cmp(&two.1.system_calls);
        self.threads.iter().max_by(by_calls).map(|(number, _)| number.as_str())
    }

    /// Returns what one thread did beyond its work in an idle process.
    pub(crate) fn of_thread_without(&self, number: &str, idle: &CountedThreads) -> Option<Counted> {
        Some(self.threads.get(number)?.without_idle(*idle.threads.get(number)?))
    }
}

/// What was counted, in one thread or in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    /// Instructions in user space.
    pub(crate) instructions: f64,
    pub(crate) system_calls: f64,
    /// Seconds for which it was counted.
    pub(crate) secs: f64,
}

impl Counted {
    /// Returns what one of `units` took.
    pub(crate) fn per(self, units: f64) -> Counted {
        Counted {
            instructions: self.instructions / units,
            system_calls: self.system_calls / units,
            secs: self.secs / units,
        }
    }

    /// Leaves out what an idle process does in the same time.
    pub(crate) fn without_idle(self, idle: Counted) -> Counted {
        let per_s = idle.per(idle.secs);
        Counted {
            instructions: self.instructions - per_s.instructions * self.secs,
            system_calls: self.system_calls - per_s.system_calls * self.secs,
            secs: self.secs,
        }
    }

    /// Returns what this did more than another count.
    pub(crate) fn more_than(self, less: Counted) -> Counted {
        Counted {
            instructions: self.instructions - less.instructions,
            system_calls: self.system_calls - less.system_calls,
            secs: self.secs - less.secs,
        }
    }
}

/// The counter of one process, which starts switched off.
pub(crate) struct Callgrind {
    /// File to which Valgrind appends `.1`, `.2` and so on, one for each count.
    file: PathBuf,
    counts: Cell<u32>,
}

impl Callgrind {
    /// Returns the counter of a process that [`Callgrind::command`] starts. Its files have this name.
    pub(crate) fn new(name: &str) -> anyhow::Result<Callgrind> {
        for program in PROGRAMS {
            ensure!(
                on_path(program).is_some(),
                "{program} is missing; `apt-get install valgrind` installs it"
            );
        }
        let folder = root().join("target/bench/callgrind");
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}.out")))
            {
                std::fs::remove_file(path)?;
            }
        }
        Ok(Callgrind { file: folder.join(format!("{name}.out")), counts: Cell::new(0) })
    }

    /// Returns a command that runs a program under the counter, on the measured core.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let file = format!("--callgrind-out-file={}", self.file.display());
        let valgrind = [
            "--quiet",
            "--tool=callgrind",
            "--instr-atstart=no",
            "--collect-systime=usec",
            "--separate-threads=yes",
            "--fair-sched=try",
            &file,
            program,
        ];
        Core::Measured.command("valgrind", &[&valgrind, arguments].concat())
    }

    /// Returns what a process does while `work` runs.
    pub(crate) fn count(
        &self,
        pid: u32,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<CountedThreads> {
        control(pid, "--instr=on")?;
        let started = Instant::now();
        work()?;
        let secs = started.elapsed().as_secs_f64();
        control(pid, "--instr=off")?;
        control(pid, "--dump")?;
        self.counts.set(self.counts.get() + 1);
        let dumps = self.dumps_of(self.counts.get())?;
        let threads = dumps.iter().map(|file| {
            let dump = std::fs::read_to_string(file)?;
            let name = file.extension().unwrap_or_default().to_string_lossy();
            let thread = name.rsplit('-').next().unwrap_or_default().to_owned();
            let counted = parse(&dump, secs).with_context(|| format!("{} has no totals", file.display()))?;
            Ok((thread, counted))
        });
        Ok(CountedThreads { threads: threads.collect::<anyhow::Result<_>>()? })
    }

    /// Returns the files of a count, one for each thread.
    fn dumps_of(&self, count: u32) -> anyhow::Result<Vec<PathBuf>> {
        let start = format!("{}.{count}-", self.file.display());
        let folder = self.file.parent().context("a file without a folder")?;
        let mut dumps = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.to_string_lossy().starts_with(&start) {
                dumps.push(path);
            }
        }
        ensure!(!dumps.is_empty(), "callgrind wrote no {start}*");
        Ok(dumps)
    }
}

/// Reads the totals of a dump. `events:` names their columns; zeros at the end are left out.
fn parse(dump: &str, secs: f64) -> Option<Counted> {
    let of_line = |start| dump.lines().find_map(|line| line.strip_prefix(start)).map(str::split_whitespace);
    let totals: Vec<f64> = of_line("totals:")?.map_while(|text| text.parse().ok()).collect();
    let names: Vec<&str> = of_line("events:")?.collect();
    let total = |name| {
        let column = names.iter().position(|event| *event == name)?;
        Some(totals.get(column).copied().unwrap_or(0.0))
    };
    Some(Counted { instructions: total("Ir")?, system_calls: total("sysCount")?, secs })
}

/// Sends a command to the process and waits for its answer.
fn control(pid: u32, switch: &str) -> anyhow::Result<()> {
    let output = command("callgrind_control", &[switch, &pid.to_string()]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains("OK.") {
        bail!("callgrind_control {switch}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_by_the_names_of_their_columns() {
        let counted =
            parse("pid: 7\nevents: Ir sysCount sysTime\nfn=(1)\nsummary: 0\ntotals: 4000 12 7\n", 2.0);
        assert!(
            matches!(counted, Some(Counted { instructions: 4_000.0, system_calls: 12.0, .. })),
            "{counted:?}"
        );
        assert!(parse("events: Ir\ntotals: 4000\n", 2.0).is_none());
    }

    #[test]
    fn idle_work_is_left_out_by_time() {
        let counted = |instructions, secs| Counted { instructions, system_calls: instructions / 10.0, secs };
        let net = counted(1_000.0, 4.0).without_idle(counted(200.0, 2.0));
        assert!((net.instructions - 600.0).abs() < 1e-6 && (net.system_calls - 60.0).abs() < 1e-6, "{net:?}");
    }
}
