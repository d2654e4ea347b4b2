//! A control group with one limit, of version 1 or 2.

use std::path::{Path, PathBuf};

use crate::site::Wrap;

/// Folder in which control groups are mounted.
const MOUNTED: &str = "/sys/fs/cgroup";
/// Period of the CPU quota, in microseconds.
const PERIOD_US: u64 = 100_000;

/// A control group, which is removed when the value is dropped and its processes have ended.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// Makes a group that may use so many bytes of memory.
    pub fn memory(name: &str, bytes: u64) -> std::io::Result<Cgroup> {
        let bytes = bytes.to_string();
        Cgroup::make(name, "memory", &[("memory.limit_in_bytes", &bytes)], &[("memory.max", &bytes)])
    }

    /// Makes a group that may use a share of one processor, in percent.
    pub fn cpu(name: &str, percent: u64) -> std::io::Result<Cgroup> {
        let quota = (PERIOD_US * percent / 100).to_string();
        let max = format!("{quota} {PERIOD_US}");
        let v1 = [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", &quota)];
        Cgroup::make(name, "cpu", &v1, &[("cpu.max", &max)])
    }

    fn make(
        name: &str,
        controller: &str,
        v1: &[(&str, &str)],
        v2: &[(&str, &str)],
    ) -> std::io::Result<Cgroup> {
        let of_controller = Path::new(MOUNTED).join(controller);
        let (parent, limits) =
            if of_controller.is_dir() { (of_controller, v1) } else { (PathBuf::from(MOUNTED), v2) };
        let folder = parent.join(format!("barrage-fault-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let group = Cgroup { folder };
        for (file, value) in limits {
            std::fs::write(group.folder.join(file), value)?;
        }
        Ok(group)
    }

    /// Starts a process inside of the group.
    #[must_use]
    pub fn wrap(&self) -> Wrap {
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.folder.display());
        let before = ["sh", "-c", &enter, "sh"].map(str::to_owned).to_vec();
        Wrap { before, ..Wrap::default() }
    }

    /// Number of processes that the kernel killed for lack of memory; 0 without such a count.
    #[must_use]
    pub fn kills(&self) -> u64 {
        let texts = ["memory.oom_control", "memory.events"]
            .map(|file| std::fs::read_to_string(self.folder.join(file)).unwrap_or_default());
        let lines = texts.iter().flat_map(|text| text.lines());
        lines.filter_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok()).sum()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        drop(std::fs::remove_dir(&self.folder));
    }
}
