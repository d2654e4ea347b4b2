//! Dumps as files, up to a maximum number.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use barrage_protocol::RoomId;

/// Writes a dump, and removes the oldest dumps of its source beyond `files_max`.
pub(crate) fn write(
    folder: &Path,
    source: &str,
    room: &RoomId,
    at_ms: u64,
    files_max: usize,
    dump: &[u8],
) -> io::Result<PathBuf> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut known: Vec<(u64, PathBuf)> = std::fs::read_dir(folder)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((made_ms(path.file_name()?.to_str()?, source)?, path))
        })
        .collect();
    known.sort();
    let surplus = (known.len() + 1).saturating_sub(files_max.max(1));
    for (_, path) in known.iter().take(surplus) {
        std::fs::remove_file(path)?;
    }
    // A room id has only letters, digits, `_` and `-`.
    let path = folder.join(format!("recorder-{source}-{room}-{at_ms}.jsonl"));
    // For its owner alone: the records show which user posted at which time, even without texts.
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path)?;
    file.write_all(dump)?;
    Ok(path)
}

/// Returns the time in the name of a dump of this source; `None` for other files.
fn made_ms(name: &str, source: &str) -> Option<u64> {
    let rest = name.strip_prefix("recorder-")?.strip_prefix(source)?.strip_prefix('-')?;
    rest.strip_suffix(".jsonl")?.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_dumps_are_removed_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("dumps");
        let room: RoomId = "a-b".parse().unwrap();
        let put = |source, at_ms| write(&inside, source, &room, at_ms, 2, b"{}\n").unwrap();
        let made = put("uplink", 1);
        let mode = |path: &Path| {
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
        };
        assert_eq!((mode(&inside), mode(&made)), (0o700, 0o600));
        std::fs::write(inside.join("notes.jsonl"), "mine").unwrap();
        for at_ms in [9, 10, 100] {
            put("gateway", at_ms);
        }
        let mut names: Vec<_> = std::fs::read_dir(&inside)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let wanted = [
            "notes.jsonl",
            "recorder-gateway-a-b-10.jsonl",
            "recorder-gateway-a-b-100.jsonl",
            "recorder-uplink-a-b-1.jsonl",
        ];
        assert_eq!(names, wanted);
    }
}
