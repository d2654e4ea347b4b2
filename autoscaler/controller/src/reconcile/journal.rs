//! A log of observations, for `replay`, `explain` and `compare`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use barrage_scaling::Observation;

/// Greatest length of a file. A longer one is renamed to `.1`, replacing the one before.
const BYTES_MAX: u64 = 256 << 20;

/// A folder with one file for each fleet: one observation a line, as JSON.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    folder: PathBuf,
}

impl Journal {
    pub(crate) fn new(folder: &Path) -> std::io::Result<Journal> {
        std::fs::create_dir_all(folder)?;
        Ok(Journal { folder: folder.into() })
    }

    /// Appends an observation. A failure is logged and stops nothing.
    pub(crate) fn append(&self, fleet: &str, observation: &Observation) {
        if let Err(error) = self.write(fleet, observation, BYTES_MAX) {
            tracing::warn!(fleet, %error, "observation could not be recorded");
        }
    }

    fn write(&self, fleet: &str, observation: &Observation, bytes_max: u64) -> std::io::Result<()> {
        let path = self.folder.join(format!("{fleet}.jsonl"));
        if std::fs::metadata(&path).is_ok_and(|file| file.len() >= bytes_max) {
            std::fs::rename(&path, self.folder.join(format!("{fleet}.jsonl.1")))?;
        }
        let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
        let mut line = serde_json::to_vec(observation)?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journal_lines_parse_and_its_folder_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path()).unwrap();
        let seen = Observation { replicas: 3, ..Observation::default() };
        for _ in 0..100 {
            journal.write("show", &seen, 200).unwrap();
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
