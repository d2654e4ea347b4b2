//! Folder of the tests' temporary files: in memory, where the machine has enough of it.
//!
//! Most tests start a server on new files. On a disk, copies of databases and synced logs took a sixth of the
//! processor time of all Rust tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::run::{command, note};

/// File system in memory of Linux.
const MEMORY: &str = "/dev/shm";
/// First part of a folder's name; the process id of its owner follows.
const NAME: &str = "barrage-tests-";
/// Least free bytes of the machine's memory. With less, the folder stays on disk.
const FREE_BYTES_MIN: u64 = 10 << 30;
/// Least free bytes of that file system.
const FILE_SYSTEM_BYTES_MIN: u64 = 8 << 30;

/// Folder of this process, once a command has asked for it; `None` where the files stay on disk.
static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Lets a command, and what it starts, keep temporary files in memory. `TMPDIR` of the caller comes first.
pub(super) fn in_memory(mut command: Command) -> Command {
    if let Some(folder) = FOLDER.get_or_init(create) {
        command.env("TMPDIR", folder);
    }
    command
}

/// Removes the folder, which the ended tests have left nearly empty.
pub(super) fn remove() {
    if let Some(Some(folder)) = FOLDER.get() {
        drop(std::fs::remove_dir_all(folder));
    }
}

fn create() -> Option<PathBuf> {
    if std::env::var_os("TMPDIR").is_some() {
        return None;
    }
    let asked = ["--output=fstype,avail", "--block-size=1", MEMORY];
    let shown = command("df", &asked).output().ok()?;
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    if !has_room(&String::from_utf8_lossy(&shown.stdout), &memory) {
        note(
            "temporary files of the tests stay on disk: /dev/shm has less than 8 GiB free, or the memory less than 10",
        );
        return None;
    }
    remove_orphans(Path::new(MEMORY), |process| Path::new("/proc").join(process).exists());
    let folder = Path::new(MEMORY).join(format!("{NAME}{}", std::process::id()));
    std::fs::create_dir(&folder).ok()?;
    note(&format!("temporary files of the tests: {}", folder.display()));
    Some(folder)
}

/// Whether the file system, by the output of `df`, is in memory, and both it and `/proc/meminfo` have enough.
fn has_room(df: &str, meminfo: &str) -> bool {
    let enough = |bytes: Option<u64>, least: u64| bytes.is_some_and(|bytes| bytes >= least);
    let mut columns = df.lines().nth(1).unwrap_or_default().split_whitespace();
    let is_memory = columns.next() == Some("tmpfs");
    let free = columns.next().and_then(|bytes| bytes.parse().ok());
    let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let available = available.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    is_memory && enough(free, FILE_SYSTEM_BYTES_MIN) && enough(available.map(|kib| kib << 10), FREE_BYTES_MIN)
}

/// Removes the folders of runs that were killed.
fn remove_orphans(parent: &Path, is_alive: impl Fn(&str) -> bool) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_prefix(NAME).is_some_and(|process| !is_alive(process)) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_when_file_system_and_machine_have_enough() {
        let df = |kind: &str, gib: u64| format!("Type      Avail\n{kind} {}\n", gib << 30);
        let memory = |gib: u64| format!("MemTotal: 1 kB\nMemAvailable:   {} kB\n", gib << 20);
        assert!(has_room(&df("tmpfs", 8), &memory(10)));
        assert!(!has_room(&df("tmpfs", 7), &memory(10)));
        assert!(!has_room(&df("tmpfs", 8), &memory(9)));
        assert!(!has_room(&df("ext4", 8), &memory(10)));
        assert!(!has_room("", ""));
    }

    #[test]
    fn folders_of_killed_runs_are_removed_and_no_others() {
        let parent = std::env::temp_dir().join(format!("xtask-orphans-{}", std::process::id()));
        let names = [format!("{NAME}7"), format!("{NAME}8"), "another".to_owned()];
        for name in &names {
            std::fs::create_dir_all(parent.join(name).join("inside")).unwrap();
        }
        remove_orphans(&parent, |process| process == "8");
        let left = names.map(|name| parent.join(name).is_dir());
        std::fs::remove_dir_all(&parent).unwrap();
        assert_eq!(left, [false, true, true]);
    }
}
