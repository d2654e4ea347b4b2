//! PostgreSQL servers with databases for tests.

use std::sync::atomic::{AtomicU32, Ordering};

use barrage_store::{PostgresConfig, PostgresStore, Store};
use barrage_testkit::PostgresServer;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

/// A server, and the number of databases that tests have made on it.
pub(crate) struct Server {
    pub(crate) postgres: PostgresServer,
    databases: AtomicU32,
}

/// Returns the server that tests share which do not stop it.
pub(crate) async fn shared() -> &'static Server {
    static SHARED: OnceCell<Server> = OnceCell::const_new();
    SHARED
        .get_or_init(async || {
            let server = Server::start().await;
            // New databases are copies of this one, so that they need no migration.
            let url = server.postgres.url("template1").into();
            let template = PostgresConfig { url, ..PostgresConfig::default() };
            PostgresStore::open(&template).await.unwrap().close().await;
            server
        })
        .await
}

impl Server {
    /// Starts a server that the test may stop.
    pub(crate) async fn start() -> Self {
        Server { postgres: PostgresServer::start().await, databases: AtomicU32::new(0) }
    }

    /// Creates a database like the template of this server; returns its configuration.
    pub(crate) async fn database(&self) -> PostgresConfig {
        self.database_like("template1").await
    }

    /// Creates a database without tables; returns its configuration.
    pub(crate) async fn empty_database(&self) -> PostgresConfig {
        self.database_like("template0").await
    }

    async fn database_like(&self, template: &str) -> PostgresConfig {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"));
        let mut connection = PgConnection::connect(&self.postgres.url("postgres")).await.unwrap();
        sqlx::query(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        PostgresConfig { url: self.postgres.url(&name).into(), ..PostgresConfig::default() }
    }

    /// Opens a store in a new database.
    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.database().await).await.unwrap()
    }
}
