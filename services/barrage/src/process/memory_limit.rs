//! Memory that this process may have: beyond the limit of a control group the kernel kills a process.

use std::path::{Path, PathBuf};

/// Mount point of control groups, version 2. A container sees its own group there.
const GROUPS: &str = "/sys/fs/cgroup";
/// Limit of a group and of all groups inside; `max` without a limit.
const LIMIT_FILE: &str = "memory.max";

/// Returns the smallest limit of the groups of this process, or the memory of the machine; `None` when the
/// kernel hides both.
pub(super) fn bytes() -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let limits = folders(Path::new(GROUPS), &own).into_iter().filter_map(|folder| {
        let text = std::fs::read_to_string(folder.join(LIMIT_FILE)).ok()?;
        text.trim().parse().ok()
    });
    limits.chain(machine(&memory)).min()
}

/// Returns the folders of the group that `/proc/self/cgroup` names, and of the groups around it.
fn folders(root: &Path, own: &str) -> Vec<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let innermost = root.join(path);
    innermost.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned).collect()
}

/// Returns the memory of the machine by the text of `/proc/meminfo`.
fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_around_the_own_one_count_and_nothing_above_them() {
        let root = Path::new("/groups");
        let paths = |own| folders(root, own).iter().map(|it| it.display().to_string()).collect::<Vec<_>>();
        assert_eq!(paths("1:name=old:/x\n0::/a/b\n"), ["/groups/a/b", "/groups/a", "/groups"]);
        assert_eq!(paths("0::/\n"), ["/groups/"]);
        assert_eq!(paths(""), ["/groups/"], "a machine without control groups of version 2");
    }

    #[test]
    fn memory_of_the_machine_is_in_bytes() {
        assert_eq!(machine("MemTotal:       24689356 kB\nMemFree: 1 kB\n"), Some(24_689_356 * 1_024));
        assert_eq!(machine("MemFree: 1 kB\n"), None);
    }
}
