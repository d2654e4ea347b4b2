//! Connections to a database that is migrated first.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use crate::config::PostgresConfig;
use crate::migrations;

/// Longest wait for the ping of a connection that returns to the pool. The ping also rolls back
/// an unfinished transaction of its caller. No caller waits for it, but the connection occupies a slot
/// of the pool.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

/// Why a database could not be opened.
pub(crate) type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// Migrates an existing database and connects to it. Several processes may do so at once: they
/// migrate one after the other.
pub(crate) async fn open(config: &PostgresConfig, migrator: &Migrator) -> Result<PgPool, OpenError> {
    let options = PgConnectOptions::from_str(config.url.expose())?.application_name("barrage");
    let acquire_timeout = Duration::from_millis(config.acquire_timeout_ms);
    migrate(options.clone(), acquire_timeout, migrator).await?;
    connect(config, options).await
}

/// Connects to a database and changes nothing.
pub(crate) async fn look(config: &PostgresConfig) -> Result<PgPool, OpenError> {
    let options = PgConnectOptions::from_str(config.url.expose())?.application_name("barrage");
    connect(config, options).await
}

async fn connect(config: &PostgresConfig, options: PgConnectOptions) -> Result<PgPool, OpenError> {
    let acquire_timeout = Duration::from_millis(config.acquire_timeout_ms);
    // The server gives up together with the caller: locks of a vanished process are released,
    // and an abandoned statement costs nothing more.
    let options = options.options([
        ("statement_timeout", config.call_timeout_ms),
        ("idle_in_transaction_session_timeout", config.call_timeout_ms),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(config.connections.max(1))
        .acquire_timeout(acquire_timeout)
        .after_release(|connection, _| Box::pin(settle(connection)))
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// Migrates on a connection of its own, without limits on the statements: a migration takes as long
/// as there are data to rewrite.
async fn migrate(
    options: PgConnectOptions,
    connect_timeout: Duration,
    migrator: &Migrator,
) -> Result<(), OpenError> {
    let connection = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(connect_timeout)
        .connect_with(options)
        .await?;
    let migrated = migrator.run(&connection).await;
    connection.close().await;
    Ok(migrated.map_err(migrations::failed)?)
}

async fn settle(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let answer = tokio::time::timeout(RELEASE_WAIT, connection.ping()).await;
    answer.unwrap_or_else(|_| Err(timed_out())).map(|()| true)
}

/// Returns the error of a call that took too long; it is retryable.
pub(crate) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into())
}
