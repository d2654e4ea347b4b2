//! A real PostgreSQL server, as processes of the test.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::certificates;
use crate::process::{Recipe, children, free_address, signal};
use crate::programs::{self, NOBODY};
use crate::wait;

/// Password of the user `barrage`; no log and no error may contain it.
pub const PASSWORD: &str = "a-secret-of-the-test";

/// Longest wait for a server to accept connections.
const START_MAX: Duration = Duration::from_secs(30);

/// Number in the name of the prepared data directory; changes with the arguments of `initdb`.
const TEMPLATE: u32 = 1;

/// Runs the server until its standard input ends, which happens however the test process ends.
/// Then the folder is deleted, unless the input was `keep`.
const UNTIL_INPUT_ENDS: &str = r#"
    trap '' INT
    folder=$1; shift
    "$@" </dev/null >>"$folder/log" 2>&1 & server=$!
    read -r last
    kill -QUIT "$server"; kill -CONT "$server"; wait "$server"
    [ "$last" = keep ] || rm -rf "$folder"
"#;

/// A PostgreSQL server in a temporary folder, on a Unix socket there. Ends with the test process
/// at the latest, so that it may be a static value.
#[derive(Debug)]
pub struct PostgresServer {
    keeper: Child,
    folder: PathBuf,
    /// Port of the socket's name, and of the TCP listener with TLS.
    port: u16,
    arguments: Vec<String>,
}

/// Port of the socket's name of a server without a TCP listener.
const SOCKET_PORT: u16 = 5_432;

impl PostgresServer {
    /// Starts a server with empty databases and waits until it accepts connections.
    pub async fn start() -> Self {
        crate::ClientTls::make_ring_default();
        let folder = new_folder();
        PostgresServer::start_in(folder, SOCKET_PORT, Vec::new()).await
    }

    /// Starts a server that also listens on loopback with TLS, with certificates of
    /// [`certificates::make`] in its folder.
    pub async fn start_with_tls() -> Self {
        crate::ClientTls::make_ring_default();
        let (folder, port) = (new_folder(), free_address().port());
        certificates::make(&folder);
        for name in ["cert.pem", "key.pem"] {
            give_to_server(&folder.join(name));
        }
        std::fs::set_permissions(folder.join("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "ssl=on".into(),
            format!("ssl_cert_file={}", folder.join("cert.pem").display()),
            format!("ssl_key_file={}", folder.join("key.pem").display()),
        ];
        let arguments = settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect();
        PostgresServer::start_in(folder, port, arguments).await
    }

    async fn start_in(folder: PathBuf, port: u16, arguments: Vec<String>) -> Self {
        copy(&template(), &folder.join("data"));
        let server = PostgresServer { keeper: spawn(&folder, &arguments), folder, port, arguments };
        server.ready().await;
        server
    }

    /// URL of a database over TCP, with TLS and a check of the server's name and authority.
    #[must_use]
    pub fn tls_url(&self, database: &str) -> String {
        let (port, ca) = (self.port, self.folder.join("ca.pem").display().to_string());
        format!(
            "postgres://barrage:{PASSWORD}@localhost:{port}/{database}?sslmode=verify-full&sslrootcert={ca}"
        )
    }

    /// URL of a database, for the owner `barrage`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://barrage:{PASSWORD}@localhost/{database}?host={}", self.folder.display())
    }

    /// Folder of the socket, the data and the log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends all processes of the server at once and keeps the files, as a crash does.
    pub fn crash(&mut self) {
        self.keeper.stdin.as_mut().unwrap().write_all(b"keep\n").unwrap();
        self.keeper.wait().unwrap();
    }

    /// Starts a crashed server again on its files.
    pub async fn restart(&mut self) {
        self.keeper = spawn(&self.folder, &self.arguments);
        self.ready().await;
    }

    /// Stops all processes where they are: connections stay open and get no answer.
    pub fn pause(&self) {
        let parent = self.parent();
        signal("STOP", [&parent]);
        signal("STOP", children(&parent));
    }

    /// Continues all processes of a paused server.
    pub fn resume(&self) {
        let parent = self.parent();
        signal("CONT", children(&parent));
        signal("CONT", [&parent]);
    }

    /// Stops the processes of the open connections; new connections are served.
    pub fn pause_connections(&self) {
        assert!(signal("STOP", children(&self.parent())), "no connection is open");
    }

    fn parent(&self) -> String {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().to_owned()
    }

    async fn ready(&self) {
        let words = programs::postgres("pg_isready");
        wait::until_true(START_MAX, "a PostgreSQL server that accepts connections", async || {
            let mut command = tokio::process::Command::new(&words[0]);
            command.args(&words[1..]).args(["-q", "-p", &self.port.to_string(), "-h"]).arg(&self.folder);
            command.status().await.unwrap().success()
        })
        .await;
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

/// Returns a data directory that no server has run on. It is made once in `target/tools`: `initdb`
/// takes seconds, a copy does not.
fn template() -> PathBuf {
    let words = programs::postgres("initdb");
    let version = Command::new(&words[0]).args(&words[1..]).arg("--version").output();
    let version =
        String::from_utf8(version.expect("`setpriv` of util-linux, or not to be root").stdout).unwrap();
    let version = version.split_whitespace().nth(2).unwrap_or("unknown");
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let template = tools.join(format!("postgres-{version}-{TEMPLATE}"));
    if !template.is_dir() {
        let folder = tempfile::tempdir().unwrap();
        give_to_server(folder.path());
        initialise(folder.path());
        std::fs::create_dir_all(&tools).unwrap();
        let draft = tempfile::tempdir_in(&tools).unwrap();
        copy(&folder.path().join("data"), &draft.path().join("data"));
        // Another test process may have been faster: its directory is as good.
        drop(std::fs::rename(draft.path().join("data"), &template));
    }
    template
}

/// Recipe of a server on a TCP address, on the data that [`initialise`] made in `folder`.
#[must_use]
pub fn recipe(folder: &Path, address: SocketAddr) -> Recipe {
    let mut command = programs::postgres("postgres");
    let (data, port, socket) =
        (folder.join("data").display().to_string(), address.port().to_string(), folder.display().to_string());
    command.extend(["-D".into(), data, "-p".into(), port, "-k".into(), socket]);
    command.extend(["-c".into(), format!("listen_addresses={}", address.ip())]);
    Recipe { name: "postgres".into(), command, environment: Vec::new(), folder: folder.to_owned(), address }
}

/// Makes `data` in a folder, with the user `barrage` and [`PASSWORD`].
///
/// The locale orders "a" before "B", so that a query that needs the order of bytes must ask for it.
pub fn initialise(folder: &Path) {
    initialise_with(folder, PASSWORD);
}

/// Makes `data` in a folder as [`initialise`] does, with another password.
pub fn initialise_with(folder: &Path, secret: &str) {
    let password = folder.join("password");
    std::fs::write(&password, secret).unwrap();
    give_to_server(&password);
    let words = programs::postgres("initdb");
    let output = Command::new(&words[0])
        .args(&words[1..])
        .args(["--no-sync", "--encoding=UTF8", "--locale=C", "--locale-provider=icu"])
        .args(["--icu-locale=en-US", "--auth=scram-sha-256", "--username=barrage"])
        .arg(format!("--pwfile={}", password.display()))
        .arg(format!("--pgdata={}", folder.join("data").display()))
        .current_dir(folder)
        .output()
        .expect("`setpriv` of util-linux, or not to be root");
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a file or folder belong to the user that runs PostgreSQL.
pub fn give_to_server(path: &Path) {
    if programs::is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn new_folder() -> PathBuf {
    let folder = tempfile::tempdir().unwrap().keep();
    give_to_server(&folder);
    folder
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn spawn(folder: &Path, arguments: &[String]) -> Child {
    Command::new("sh")
        .args(["-c", UNTIL_INPUT_ENDS, "keeper"])
        .arg(folder)
        .args(programs::postgres("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        // Tests crash the server, never the machine.
        .args(["-c", "listen_addresses=", "-c", "fsync=off"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
