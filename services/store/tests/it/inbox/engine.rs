//! An empty inbox on one engine, with a connection of its own for faults and counts.

use std::sync::Arc;

use barrage_store::{InboxReads, PostgresConfig, PostgresInbox, SqliteInbox};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::server::shared;

/// Tables that a batch may write, without the lanes' positions.
const TABLES: [&str; 9] = [
    "inbox_users",
    "inbox_conversations",
    "inbox_members",
    "inbox_messages",
    "inbox_hidden",
    "inbox_mentions",
    "inbox_blocks",
    "inbox_undelivered",
    "inbox_push_queue",
];

/// An inbox, and the place of its tables.
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn InboxReads>,
    place: Place,
}

enum Place {
    Sqlite(TempDir),
    Postgres(PostgresConfig),
}

impl Engine {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteInbox::open(&folder.path().join("inbox.sqlite")).await.unwrap();
        Engine { store: Arc::new(store), place: Place::Sqlite(folder) }
    }

    pub(crate) async fn postgres() -> Self {
        let config = shared().await.empty_database().await;
        let store = PostgresInbox::open(&config).await.unwrap();
        Engine { store: Arc::new(store), place: Place::Postgres(config) }
    }

    /// Opens the same tables as another process does.
    pub(crate) async fn again(&self) -> Arc<dyn InboxReads> {
        match &self.place {
            Place::Sqlite(folder) => {
                Arc::new(SqliteInbox::open(&folder.path().join("inbox.sqlite")).await.unwrap())
            }
            Place::Postgres(config) => Arc::new(PostgresInbox::open(config).await.unwrap()),
        }
    }

    /// Removes all tables, so that the next one to open them makes them anew.
    pub(crate) async fn drop_tables(&self) {
        if let Place::Sqlite(folder) = &self.place {
            for name in ["inbox.sqlite", "inbox.sqlite-wal", "inbox.sqlite-shm"] {
                drop(std::fs::remove_file(folder.path().join(name)));
            }
        } else {
            self.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;").await;
        }
    }

    pub(crate) async fn run(&self, sql: &str) {
        match &self.place {
            Place::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("inbox.sqlite")).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            Place::Postgres(config) => {
                let mut connection = PgConnection::connect(config.url.expose()).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            }
        }
    }

    async fn number(&self, sql: &str) -> i64 {
        match &self.place {
            Place::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("inbox.sqlite")).unwrap();
                connection.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            Place::Postgres(config) => {
                let mut connection = PgConnection::connect(config.url.expose()).await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    /// Lets every statement on the tables count itself before and after, and fail at a chosen count.
    pub(crate) async fn install_faults(&self) {
        let mut sql = match self.place {
            Place::Sqlite(_) => "CREATE TABLE fault (step INTEGER, target INTEGER);
                INSERT INTO fault VALUES (0, 0);"
                .to_owned(),
            // A sequence counts on in a transaction that fails.
            Place::Postgres(_) => "CREATE TABLE fault (target BIGINT); INSERT INTO fault VALUES (0);
                CREATE SEQUENCE fault_step;
                CREATE FUNCTION fault() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
                    IF NEXTVAL('fault_step') = (SELECT target FROM fault) THEN RAISE EXCEPTION 'fault'; END IF;
                    RETURN NULL; END $$;"
                .to_owned(),
        };
        for table in TABLES.into_iter().chain(["inbox_marks"]) {
            for (time, event) in ["BEFORE", "AFTER"]
                .into_iter()
                .flat_map(|time| ["INSERT", "UPDATE", "DELETE"].into_iter().map(move |event| (time, event)))
            {
                let name = format!("fault_{table}_{time}_{event}");
                sql += &match self.place {
                    Place::Sqlite(_) => format!(
                        "CREATE TRIGGER {name} {time} {event} ON {table} BEGIN UPDATE fault SET step = step + 1;
                         SELECT RAISE(ABORT, 'fault') FROM fault WHERE step = target; END;"
                    ),
                    Place::Postgres(_) => format!(
                        "CREATE TRIGGER {name} {time} {event} ON {table} FOR EACH STATEMENT
                         EXECUTE FUNCTION fault();"
                    ),
                };
            }
        }
        self.run(&sql).await;
    }

    /// Lets the statement of this number, from 1, fail.
    pub(crate) async fn fail_at(&self, step: u32) {
        self.run(&match self.place {
            Place::Sqlite(_) => format!("UPDATE fault SET step = 0, target = {step}"),
            Place::Postgres(_) => {
                format!("UPDATE fault SET target = {step}; SELECT SETVAL('fault_step', 1, FALSE);")
            }
        })
        .await;
    }

    /// Lets every row that is written count itself.
    pub(crate) async fn install_counts(&self) {
        let mut sql = "CREATE TABLE written (number INTEGER); INSERT INTO written VALUES (0);".to_owned();
        if let Place::Postgres(_) = self.place {
            sql += "CREATE FUNCTION written() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
                UPDATE written SET number = number + 1; RETURN NULL; END $$;";
        }
        for (table, event) in
            TABLES.into_iter().flat_map(|table| ["INSERT", "UPDATE", "DELETE"].map(|event| (table, event)))
        {
            let name = format!("count_{table}_{event}");
            sql += &match self.place {
                Place::Sqlite(_) => format!(
                    "CREATE TRIGGER {name} AFTER {event} ON {table}
                     BEGIN UPDATE written SET number = number + 1; END;"
                ),
                Place::Postgres(_) => format!(
                    "CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION written();"
                ),
            };
        }
        self.run(&sql).await;
    }

    /// Returns the number of rows written since the last call.
    pub(crate) async fn rows_written(&self) -> i64 {
        let written = self.number("SELECT CAST(number AS BIGINT) FROM written").await;
        self.run("UPDATE written SET number = 0").await;
        written
    }

    /// Returns the number of rows of all tables.
    pub(crate) async fn rows(&self) -> i64 {
        let mut rows = 0;
        for table in TABLES {
            rows += self.number(&format!("SELECT COUNT(*) FROM {table}")).await;
        }
        rows
    }
}
