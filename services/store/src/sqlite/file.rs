//! The database file: readable by its owner alone, and checked for damage and replacement.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sqlx::SqlitePool;

use crate::error::StoreError;

/// Largest file that is checked page by page at start; larger ones would take seconds.
const CHECKED_BYTES_MAX: u64 = 64 << 20;
/// SQLite's result codes for pages that cannot be read.
const DAMAGE: [u32; 2] = [11, 26];

/// The open file and its known damage.
#[derive(Debug, Clone)]
pub(super) struct StoreFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
    /// Set by the first call that reads a damaged page. Stays until the process ends.
    damage: Arc<OnceLock<String>>,
}

impl StoreFile {
    /// Creates the file, readable by its owner alone, when it is absent. SQLite gives its companion
    /// files the same mode.
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        let found = file.metadata()?;
        Ok(StoreFile {
            path: path.to_owned(),
            device_and_inode: (found.dev(), found.ino()),
            damage: Arc::default(),
        })
    }

    /// Checks every page of a file that is small enough.
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

    /// Returns the result unchanged, and records a damaged page.
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

    /// Fails when a page was damaged, or the path no longer leads to the open file.
    pub(super) fn is_usable(&self) -> Result<(), StoreError> {
        if let Some(damage) = self.damage.get() {
            return Err(StoreError::Unusable(format!(
                "{damage}: stop the process and restore the file, or move it away to start with a new one"
            )));
        }
        match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == self.device_and_inode => Ok(()),
            Ok(_) => Err(StoreError::Unusable(format!(
                "{} was replaced while in use: restart the process",
                self.path.display()
            ))),
            Err(error) => Err(StoreError::Unusable(format!(
                "{} is not there any more ({error}): restart the process to create a new one",
                self.path.display()
            ))),
        }
    }
}

fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    // The low byte is the code, the others are its detail.
    code.is_some_and(|code| DAMAGE.contains(&(code & 0xff)))
}
