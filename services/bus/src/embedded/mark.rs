//! The high-water mark: the newest position that the log has reached, in a file of its own.
//!
//! A log that lost its newest part looks complete: its write-ahead log was cut or deleted, or it
//! was restored from an older copy. The mark shows that it had reached a later position.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use barrage_protocol::Sequence;

/// Positions that a restored log leaves out: more than any log gives between a backup and its restore. 100,000
/// messages a second take 12 hours for so many; a room's position has space for two million restores.
const RESTORE_SKIP: u64 = 1 << 32;

/// Notes beside a restored log, at `log`, that it had gone on after its copy was made: no position of that
/// time is given twice, and a resume from that time is answered `gone`. `ends_at` is the newest position of the copy.
pub(crate) fn skip_after_restore(log: &Path, ends_at: Sequence) -> std::io::Result<()> {
    let mut mark = Mark::open(log)?;
    mark.note(Sequence(ends_at.0.saturating_add(RESTORE_SKIP)))?;
    mark.sync()
}

/// Digits of every stored position, so that a write replaces the whole text.
const DIGITS: usize = 20;

pub(crate) struct Mark {
    file: File,
    reached: Sequence,
}

impl Mark {
    /// Opens the mark of the log at `log`, and creates it when it is absent. A mark that cannot be
    /// parsed counts as absent.
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
                tracing::warn!(path = %path.display(), "the log's high-water mark cannot be parsed and starts at 0");
                0
            }),
        };
        Ok(Mark { file, reached: Sequence(reached) })
    }

    /// Returns the newest position that was stored.
    pub(crate) fn reached(&self) -> Sequence {
        self.reached
    }

    /// Stores a newer position; smaller ones are ignored. It survives the end of the process, and
    /// after [`Mark::sync`] a power cut.
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
    fn mark_keeps_the_greatest_position_and_an_invalid_one_reads_as_zero() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("bus.sqlite");
        let mut mark = Mark::open(&log).unwrap();
        assert_eq!(mark.reached(), Sequence::ZERO);
        mark.note(Sequence(70_000)).unwrap();
        mark.note(Sequence(9)).unwrap();
        assert_eq!(Mark::open(&log).unwrap().reached(), Sequence(70_000));
        for invalid in [&b"\xff\xfe"[..], b"12x", b"-1", b""] {
            std::fs::write(log.with_extension("mark"), invalid).unwrap();
            assert_eq!(Mark::open(&log).unwrap().reached(), Sequence::ZERO);
        }
    }
}
