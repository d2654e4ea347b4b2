//! The database file itself: for its owner alone, still the one that was opened, and readable.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sqlx::SqlitePool;

use crate::StoreError;

/// Larger files are not checked page by page at start: it would take seconds.
const CHECKED_BYTES_MAX: u64 = 64 << 20;
/// SQLite's result codes for pages that cannot be understood.
const DAMAGE: [u32; 2] = [11, 26];

/// What is known of the file.
#[derive(Debug, Clone)]
pub(super) struct StoreFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
    /// Set once, by whoever meets a damaged page; it stays until the process ends.
    damage: Arc<OnceLock<String>>,
}

impl StoreFile {
    /// Makes the file, for its owner alone, unless it is there. SQLite gives its companions the
    /// mode of the file.
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        let found = file.metadata()?;
        Ok(StoreFile {
            path: path.to_owned(),
            device_and_inode: (found.dev(), found.ino()),
            damage: Arc::default(),
        })
    }

    /// Reads every page of a file that is small enough.
    pub(super) async fn check(&self, pool: &SqlitePool) -> Result<(), StoreError> {
        let bytes = std::fs::metadata(&self.path).map_or(0, |found| found.len());
        if bytes > CHECKED_BYTES_MAX {
            return Ok(());
        }
        let checked: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(pool).await;
        match checked {
            Ok(answer) if answer == "ok" => {}
            Ok(answer) => self.damaged(&answer),
            Err(error) => match self.noted::<()>(Err(error.into())) {
                Err(StoreError::Query(error)) if !is_damage(&error) => return Err(StoreError::Query(error)),
                _ => {}
            },
        }
        Ok(())
    }

    /// Passes a result on, and remembers a damaged page.
    pub(super) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Query(error)) = &result
            && is_damage(error)
        {
            self.damaged(&error.to_string());
        }
        result
    }

    fn damaged(&self, reason: &str) {
        drop(self.damage.set(format!("{} is damaged ({reason})", self.path.display())));
    }

    /// Fails when a page was damaged, or the path does not lead to the open file any more.
    pub(super) fn is_usable(&self) -> Result<(), StoreError> {
        if let Some(damage) = self.damage.get() {
            return Err(StoreError::Unusable(format!(
                "{damage}: stop the process and restore the file, or move it away to have it made anew"
            )));
        }
        match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == self.device_and_inode => Ok(()),
            Ok(_) => Err(StoreError::Unusable(format!(
                "{} was replaced while in use: restart the process",
                self.path.display()
            ))),
            Err(error) => Err(StoreError::Unusable(format!(
                "{} is not there any more ({error}): restart the process to have it made anew",
                self.path.display()
            ))),
        }
    }
}

fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    // The low byte is the code, the others its detail.
    code.is_some_and(|code| DAMAGE.contains(&(code & 0xff)))
}
