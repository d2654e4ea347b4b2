//! Facts about a server for an operator (`barrage doctor`).

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::config::PostgresConfig;
use crate::error::StoreError;
use crate::migrations;

/// Facts about a server and its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Version of the server, as it reports itself.
    pub version: String,
    /// The server syncs its writes to disk.
    pub fsync: bool,
    /// The server syncs a commit before it answers.
    pub synchronous_commit: bool,
    /// Newest migration of the database; 0 when it has none.
    pub migration: i64,
    /// Newest migration that this program has; the database may have a newer one.
    pub migration_known: i64,
    /// Time of the server's clock since the Unix epoch.
    pub clock: Duration,
}

/// Reads the facts on a connection of its own; changes nothing in the database.
pub async fn inspect(config: &PostgresConfig) -> Result<ServerInfo, StoreError> {
    let open = |error: sqlx::Error| StoreError::Open(error.into());
    let options =
        PgConnectOptions::from_str(config.url.expose()).map_err(open)?.application_name("barrage doctor");
    let mut connection = PgConnection::connect_with(&options).await.map_err(open)?;
    let setting = "SELECT current_setting('server_version'), current_setting('fsync'), \
                   current_setting('synchronous_commit'), extract(epoch FROM clock_timestamp())::float8";
    let (version, fsync, commit, clock_secs): (String, String, String, f64) =
        sqlx::query_as(setting).fetch_one(&mut connection).await?;
    let has_migrations = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    let migration = match has_migrations.fetch_one(&mut connection).await? {
        false => 0,
        true => {
            sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success")
                .fetch_one(&mut connection)
                .await?
        }
    };
    connection.close().await?;
    let migration_known = migrations::postgres().iter().map(|known| known.version).max().unwrap_or(0);
    let (fsync, synchronous_commit) = (fsync == "on", commit != "off");
    let clock = Duration::try_from_secs_f64(clock_secs).unwrap_or_default();
    Ok(ServerInfo { version, fsync, synchronous_commit, migration, migration_known, clock })
}
