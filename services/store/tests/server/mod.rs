//! A real PostgreSQL in a folder of its own, on a socket there.

use std::io::Write;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use barrage_store::{PostgresConfig, PostgresStore, Store};
use barrage_testkit::programs::{self, NOBODY};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

/// What no log or error may show.
pub(crate) const PASSWORD: &str = "a-secret-of-the-test";

/// Runs the server until its own input ends, which it does in whatever way the
/// test's process ends; then the folder goes, unless it was told to keep it.
const UNTIL_INPUT_ENDS: &str = r#"
    trap '' INT
    folder=$1; shift
    "$@" </dev/null >>"$folder/log" 2>&1 & server=$!
    read -r last
    kill -QUIT "$server"; kill -CONT "$server"; wait "$server"
    [ "$last" = keep ] || rm -rf "$folder"
"#;

/// The server, and where it lives. Ends with the process that started it.
pub(crate) struct Server {
    keeper: Child,
    folder: PathBuf,
    databases: AtomicU32,
}

/// The one that all tests share which do not stop it.
pub(crate) async fn shared() -> &'static Server {
    static SHARED: OnceCell<Server> = OnceCell::const_new();
    SHARED
        .get_or_init(async || {
            let folder = new_folder();
            initialise(&folder);
            // What the others start from: making a cluster takes seconds, copying it does not.
            copy(&folder.join("data"), &folder.join("fresh"));
            let server = Server::start_in(folder).await;
            // New databases are copies of this one: they need no migration.
            let template =
                PostgresConfig { url: server.url("template1").into(), ..PostgresConfig::default() };
            PostgresStore::open(&template).await.unwrap().close().await;
            server
        })
        .await
}

impl Server {
    /// Starts one that the test may stop, and waits until it answers.
    pub(crate) async fn start() -> Self {
        let folder = new_folder();
        copy(&shared().await.folder.join("fresh"), &folder.join("data"));
        Self::start_in(folder).await
    }

    async fn start_in(folder: PathBuf) -> Self {
        let server = Server { keeper: spawn(&folder), folder, databases: AtomicU32::new(0) };
        server.ready().await;
        server
    }

    /// A new database's configuration.
    pub(crate) async fn database(&self) -> PostgresConfig {
        self.database_like("template1").await
    }

    /// The same, of a database where nothing is, not even a table.
    pub(crate) async fn empty_database(&self) -> PostgresConfig {
        self.database_like("template0").await
    }

    async fn database_like(&self, template: &str) -> PostgresConfig {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"));
        sqlx::query(create).execute(&mut self.connect("postgres").await.unwrap()).await.unwrap();
        PostgresConfig { url: self.url(&name).into(), ..PostgresConfig::default() }
    }

    /// A store in a new database.
    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.database().await).await.unwrap()
    }

    /// The address of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://barrage:{PASSWORD}@localhost/{database}?host={}", self.folder.display())
    }

    /// What a crash leaves: nobody says goodbye, nothing is written in order.
    pub(crate) fn crash(&mut self) {
        self.keeper.stdin.as_mut().unwrap().write_all(b"keep\n").unwrap();
        self.keeper.wait().unwrap();
    }

    /// Starts it again on what is there.
    pub(crate) async fn restart(&mut self) {
        self.keeper = spawn(&self.folder);
        self.ready().await;
    }

    /// Stops all its processes where they stand: connections stay open, nothing is
    /// answered.
    pub(crate) fn pause(&self) {
        signal("-STOP", &self.parent());
        signal("-STOP", &self.children());
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) {
        signal("-CONT", &self.children());
        signal("-CONT", &self.parent());
    }

    /// Stops what serves the connections of now; new ones are served.
    pub(crate) fn pause_connections(&self) {
        signal("-STOP", &self.children());
    }

    fn parent(&self) -> String {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().to_owned()
    }

    fn children(&self) -> String {
        let found = Command::new("pgrep").args(["-P", &self.parent()]).output().expect("`pgrep` of procps");
        String::from_utf8(found.stdout).unwrap()
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&self.url(database)).await
    }

    async fn ready(&self) {
        for _ in 0..1_000 {
            if self.connect("postgres").await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL did not answer within 10 s: {log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

fn new_folder() -> PathBuf {
    let folder = tempfile::tempdir().unwrap().keep();
    if programs::is_root() {
        chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Makes a cluster in a locale that orders "a" before "B": what is ordered by bytes
/// must say so.
fn initialise(folder: &Path) {
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    if programs::is_root() {
        chown(&password, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let words = programs::postgres("initdb");
    let made = Command::new(&words[0])
        .args(&words[1..])
        .args(["--no-sync", "--encoding=UTF8", "--locale=C", "--locale-provider=icu"])
        .args(["--icu-locale=en-US", "--auth=scram-sha-256", "--username=barrage"])
        .arg(format!("--pwfile={}", password.display()))
        .arg(format!("--pgdata={}", folder.join("data").display()))
        .current_dir(folder)
        .output()
        .expect("`setpriv` of util-linux, or not to be root");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
}

/// Those that ended meanwhile are left out; somebody must have heard it.
fn signal(signal: &str, processes: &str) {
    let hears = |process: &str| Command::new("kill").args([signal, process]).status().unwrap().success();
    assert!(processes.lines().filter(|process| hears(process)).count() > 0);
}

fn spawn(folder: &Path) -> Child {
    Command::new("sh")
        .args(["-c", UNTIL_INPUT_ENDS, "keeper"])
        .arg(folder)
        .args(programs::postgres("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        // The tests crash the server, never the machine.
        .args(["-c", "listen_addresses=", "-c", "fsync=off"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
