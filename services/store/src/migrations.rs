//! Migrations of the schema, embedded in the binary.
//!
//! The files of each engine are listed by hand. The `migrate!` macro would find them by itself, but
//! it compiles both database drivers a second time for the build machine.

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use crate::error::StoreError;

/// Migrations of the SQLite file, in the order of their versions.
pub(crate) fn sqlite() -> Migrator {
    migrator(&[
        ("initial", include_str!("../migrations/sqlite/0001_initial.sql")),
        ("audit", include_str!("../migrations/sqlite/0002_audit.sql")),
        ("partitions", include_str!("../migrations/sqlite/0003_partitions.sql")),
        ("audit_by_time", include_str!("../migrations/sqlite/0004_audit_by_time.sql")),
        ("hidden", include_str!("../migrations/sqlite/0005_hidden.sql")),
        ("webhooks", include_str!("../migrations/sqlite/0006_webhooks.sql")),
        ("polls", include_str!("../migrations/sqlite/0007_polls.sql")),
        ("accounts", include_str!("../migrations/sqlite/0008_accounts.sql")),
        ("media", include_str!("../migrations/sqlite/0009_media.sql")),
        ("gallery", include_str!("../migrations/sqlite/0010_gallery.sql")),
    ])
}

/// Migrations of the PostgreSQL database, in the order of their versions.
pub(crate) fn postgres() -> Migrator {
    migrator(&[
        ("initial", include_str!("../migrations/postgres/0001_initial.sql")),
        ("partitions", include_str!("../migrations/postgres/0002_partitions.sql")),
        ("hidden", include_str!("../migrations/postgres/0003_hidden.sql")),
        ("webhooks", include_str!("../migrations/postgres/0004_webhooks.sql")),
        ("polls", include_str!("../migrations/postgres/0005_polls.sql")),
        ("accounts", include_str!("../migrations/postgres/0006_accounts.sql")),
        ("media", include_str!("../migrations/postgres/0007_media.sql")),
        ("gallery", include_str!("../migrations/postgres/0008_gallery.sql")),
    ])
}

/// Migrations of the inbox in PostgreSQL, in the order of their versions.
pub(crate) fn postgres_inbox() -> Migrator {
    migrator(&[
        ("initial", include_str!("../migrations/inbox_postgres/0001_initial.sql")),
        ("secret", include_str!("../migrations/inbox_postgres/0002_secret.sql")),
        ("reports", include_str!("../migrations/inbox_postgres/0003_reports.sql")),
        ("media", include_str!("../migrations/inbox_postgres/0004_media.sql")),
        ("push", include_str!("../migrations/inbox_postgres/0005_push.sql")),
        ("badges", include_str!("../migrations/inbox_postgres/0006_badges.sql")),
    ])
}

/// Says why a database could not be migrated. One of a newer version is refused with the way out.
pub(crate) fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Unusable(format!(
            "the store has the migration {version}, which a newer barrage made and this one does not know: start the newer \
             one, or restore a backup from before its start"
        )),
        other => StoreError::Open(other.into()),
    }
}

/// Numbers the versions from 1 in the order of the list: a released line must never move.
fn migrator(files: &[(&'static str, &'static str)]) -> Migrator {
    let migrations = (1..).zip(files).map(|(version, (description, sql))| {
        Migration::new(version, (*description).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Asserts that every file of a folder is listed, with the version and description in its name.
    fn assert_lists_folder(migrator: &Migrator, folder: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<_> =
            migrator.iter().map(|m| format!("{:04}_{}.sql", m.version, m.description)).collect();
        assert_eq!(listed, files);
    }

    #[test]
    fn every_migration_file_is_listed_in_order() {
        assert_lists_folder(&sqlite(), "sqlite");
        assert_lists_folder(&postgres(), "postgres");
        assert_lists_folder(&postgres_inbox(), "inbox_postgres");
    }
}
