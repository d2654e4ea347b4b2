//! The log's file: locked by one process, and checked to be the one that was opened.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::BusError;

/// Longest wait for the lock: an engine that this process has dropped ends its thread within it.
const LOCK_WAIT: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The database file, locked with `flock` while any connection uses it. SQLite locks with
/// `fcntl`, and such locks are lost when any descriptor of the file is closed: so this descriptor
/// is opened before the first connection and closed after the last.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: File,
    path: PathBuf,
}

impl LogFile {
    /// Opens the file and locks it; creates it, readable by its owner alone, when it is absent.
    #[expect(clippy::disallowed_methods, reason = "at start, before anything is served")]
    pub(crate) fn open(path: &Path) -> Result<Self, BusError> {
        let failed = |error: std::io::Error| BusError::Unavailable(format!("{}: {error}", path.display()));
        let options =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).clone();
        let file = options.open(path).map_err(failed)?;
        let began = barrage_clock::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(LogFile { file, path: path.to_owned() }),
                Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_WAIT => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(BusError::Unavailable(format!(
                        "{} is used by another process; stop that one, or use another data directory",
                        path.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// Returns why the path no longer leads to the open file; `None` while it does.
    pub(crate) fn missing(&self) -> Option<String> {
        let opened = self.file.metadata().ok()?;
        match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (opened.dev(), opened.ino()) => None,
            Ok(_) => Some(format!("{} was replaced while in use: restart the process", self.path.display())),
            Err(error) => Some(format!(
                "{} is not there any more ({error}): messages accepted now are lost when the process ends; restart it",
                self.path.display()
            )),
        }
    }
}
