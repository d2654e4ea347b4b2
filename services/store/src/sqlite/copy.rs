//! Copies of SQLite files that are in use.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;

/// Longest wait for the lock of another connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Copies the database at `from` to a new file at `to`, for its owner alone, and syncs it. Other processes may
/// write meanwhile: the copy is a snapshot, and in WAL mode no writer waits. Fails at a damaged page.
pub fn copy_database(from: &Path, to: &Path) -> Result<(), StoreError> {
    let open = |error: std::io::Error| StoreError::Open(error.into());
    // SQLite fills a file that is there and empty.
    let copy = OpenOptions::new().create_new(true).write(true).mode(0o600).open(to).map_err(open)?;
    snapshot(from, to).map_err(|error| StoreError::Open(error.into()))?;
    File::sync_all(&copy).map_err(open)
}

fn snapshot(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_is_a_snapshot_beside_an_open_writer_and_a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let writer = Connection::open(path("a.sqlite")).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        writer.pragma_update(None, "user_version", 7).unwrap();
        writer.execute_batch("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2)").unwrap();
        writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (3)").unwrap();
        copy_database(&path("a.sqlite"), &path("b.sqlite")).unwrap();
        writer.execute_batch("COMMIT").unwrap();
        let copy = Connection::open(path("b.sqlite")).unwrap();
        let found = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((found("SELECT COUNT(*) FROM t"), found("PRAGMA user_version")), (2, 7));
        assert!(copy_database(&path("a.sqlite"), &path("b.sqlite")).is_err(), "a file is never replaced");
        std::fs::write(path("c.sqlite"), [0x55; 8192]).unwrap();
        assert!(copy_database(&path("c.sqlite"), &path("d.sqlite")).is_err());
        assert!(copy_database(&path("none.sqlite"), &path("e.sqlite")).is_err());
    }
}
