//! A slow machine that is played on a fast one: a quota on processor time, by a cgroup of version 1 or 2.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::Process;

/// Period of the quota in microseconds. Short, because a process that has used its part stands still for the rest
/// of the period; the kernel takes no quota below a millisecond.
const PERIOD_US: f64 = 10_000.0;
/// Folders of the cgroups that may limit processors: version 1, then version 2.
const ROOTS: [(&str, Version); 2] = [("/sys/fs/cgroup/cpu", Version::One), ("/sys/fs/cgroup", Version::Two)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Group of processes that get a share of a core. Dropping it removes the quota.
pub(crate) struct SlowCore {
    folder: PathBuf,
}

impl SlowCore {
    /// Makes a group with a share of one core, 0.1 to 1.
    pub(crate) fn new(share: f64) -> anyhow::Result<SlowCore> {
        ensure!((0.1..=1.0).contains(&share), "--cpu-share is 0.1 to 1, not {share}");
        let quota_us = (PERIOD_US * share).round();
        let mut failures = Vec::new();
        for (root, version) in ROOTS {
            let folder = Path::new(root).join(format!("barrage-bench-{}", std::process::id()));
            match limit(&folder, version, quota_us) {
                Ok(()) => return Ok(SlowCore { folder }),
                Err(error) => failures.push(format!("{}: {error}", folder.display())),
            }
            drop(std::fs::remove_dir(&folder));
        }
        bail!("no cgroup takes a quota ({}); use --readers instead of --cpu-share", failures.join("; "))
    }

    /// Moves a process with all its threads into the group.
    pub(crate) fn add(&self, process: &Process) -> anyhow::Result<()> {
        let file = self.folder.join("cgroup.procs");
        std::fs::write(&file, process.0.id().to_string()).with_context(|| file.display().to_string())
    }
}

impl Drop for SlowCore {
    fn drop(&mut self) {
        // A group with processes cannot be removed; they are killed before it.
        drop(std::fs::remove_dir(&self.folder));
    }
}

fn limit(folder: &Path, version: Version, quota_us: f64) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    match version {
        Version::One => {
            std::fs::write(folder.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            std::fs::write(folder.join("cpu.cfs_quota_us"), quota_us.to_string())
        }
        Version::Two => std::fs::write(folder.join("cpu.max"), format!("{quota_us} {PERIOD_US}")),
    }
}
