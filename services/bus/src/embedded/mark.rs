//! The high-water mark: the newest position that the log has reached, in a file of its own.
//!
//! A log that lost its tail (its write-ahead log was cut or deleted, or it was restored from an
//! older copy) is whole by its own account. The mark beside it says how far it had come.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use barrage_protocol::Sequence;

/// Every position has so many digits, so that a write replaces the whole text.
const DIGITS: usize = 20;

/// The open file.
pub(crate) struct Mark {
    file: File,
    reached: Sequence,
}

impl Mark {
    /// Opens the mark of the log at `log`, made when absent. One that cannot be read counts as
    /// absent.
    pub(crate) fn open(log: &Path) -> std::io::Result<Self> {
        let path = log.with_extension("mark");
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path)?;
        let mut text = String::new();
        match file.read_to_string(&mut text) {
            Err(error) if error.kind() != ErrorKind::InvalidData => return Err(error),
            _ => {}
        }
        let reached = match text.trim() {
            "" => 0,
            text => text.parse().unwrap_or_else(|_| {
                tracing::warn!(path = %path.display(), "the log's high-water mark cannot be read; it is made anew");
                0
            }),
        };
        Ok(Mark { file, reached: Sequence(reached) })
    }

    /// The newest position that was noted.
    pub(crate) fn reached(&self) -> Sequence {
        self.reached
    }

    /// Notes a newer position; it survives the end of the process, and after `sync` that of the
    /// machine.
    pub(crate) fn note(&mut self, reached: Sequence) -> std::io::Result<()> {
        if reached <= self.reached {
            return Ok(());
        }
        self.file.write_all_at(format!("{:0DIGITS$}\n", reached.0).as_bytes(), 0)?;
        self.reached = reached;
        Ok(())
    }

    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_keeps_the_greatest_position_and_survives_nonsense() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("bus.sqlite");
        let mut mark = Mark::open(&log).unwrap();
        assert_eq!(mark.reached(), Sequence::ZERO);
        mark.note(Sequence(70_000)).unwrap();
        mark.note(Sequence(9)).unwrap();
        assert_eq!(Mark::open(&log).unwrap().reached(), Sequence(70_000));
        for nonsense in [&b"\xff\xfe"[..], b"12x", b"-1", b""] {
            std::fs::write(log.with_extension("mark"), nonsense).unwrap();
            assert_eq!(Mark::open(&log).unwrap().reached(), Sequence::ZERO);
        }
    }
}
