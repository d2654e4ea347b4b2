//! What the controller saw, kept for `replay`, `explain` and `compare`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use barrage_scaling::Observation;

/// A file this long is put aside as `.1`, in the place of an older one.
const BYTES_MAX: u64 = 256 << 20;

/// One file of observations for each fleet, one JSON object a line.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    folder: PathBuf,
}

impl Journal {
    pub(super) fn new(folder: &Path) -> std::io::Result<Journal> {
        std::fs::create_dir_all(folder)?;
        Ok(Journal { folder: folder.into() })
    }

    /// Adds a line. What cannot be written is logged: deciding goes on.
    pub(super) fn note(&self, fleet: &str, seen: &Observation) {
        if let Err(error) = self.append(fleet, seen, BYTES_MAX) {
            tracing::warn!(fleet, %error, "an observation could not be recorded");
        }
    }

    fn append(&self, fleet: &str, seen: &Observation, bytes_max: u64) -> std::io::Result<()> {
        let path = self.folder.join(format!("{fleet}.jsonl"));
        if std::fs::metadata(&path).is_ok_and(|file| file.len() >= bytes_max) {
            std::fs::rename(&path, self.folder.join(format!("{fleet}.jsonl.1")))?;
        }
        let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
        let mut line = serde_json::to_vec(seen)?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_the_folder_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path()).unwrap();
        let seen = Observation { replicas: 3, ..Observation::default() };
        for _ in 0..100 {
            journal.append("show", &seen, 200).unwrap();
        }
        let text = std::fs::read_to_string(folder.path().join("show.jsonl")).unwrap();
        for line in text.lines() {
            assert_eq!(serde_json::from_str::<Observation>(line).unwrap(), seen);
        }
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|file| file.metadata().unwrap().len() < 300));
    }
}
