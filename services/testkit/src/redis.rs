//! A real Redis server without persistence, as a process of the test.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Process, Recipe, free_address};
use crate::{certificates, wait};

/// Longest wait for the first answer of a server.
const START_MAX: Duration = Duration::from_secs(30);

/// A Redis server on a free port of loopback. Killed on drop.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        RedisServer::start_with(&[]).await
    }

    /// Starts a server with further arguments, and waits until it answers.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let mut recipe = recipe(folder.path(), address);
        recipe.command.extend(arguments.iter().map(ToString::to_string));
        let server = RedisServer { process: Process::spawn(recipe, Some(folder)) };
        server.answers().await;
        server
    }

    /// Starts a server that speaks TLS alone, with certificates of [`certificates::make`] in
    /// [`RedisServer::folder`].
    pub async fn start_with_tls() -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        certificates::make(folder.path());
        let mut recipe = recipe(folder.path(), address);
        let port = address.port().to_string();
        // The last `--port` counts: the plain port is off.
        let words = ["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"];
        recipe.command.extend(words.map(str::to_owned));
        let files =
            ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem"];
        recipe.command.extend(files.map(str::to_owned));
        let mut process = Process::spawn(recipe, Some(folder));
        process.ready().await;
        RedisServer { process }
    }

    /// Returns the loopback address of the server's port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.recipe.address
    }

    /// URL of the server; with TLS, the caller writes its own `rediss:` URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Returns the server's working directory, which has the certificates of a TLS server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.process.recipe.folder
    }

    /// Kills the server at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again, empty, on the same port.
    pub async fn restart(&mut self) {
        self.process.restart().await;
        self.answers().await;
    }

    /// Stops the process where it is: connections stay open and get no answer.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Continues a server that was paused; connections go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Waits for any reply to a PING: a server that wants a password answers as well.
    async fn answers(&self) {
        wait::until_true(START_MAX, "a redis-server that answers", async || {
            let Ok(mut stream) = TcpStream::connect(self.address()).await else { return false };
            let mut reply = [0; 1];
            stream.write_all(b"PING\r\n").await.is_ok() && stream.read_exact(&mut reply).await.is_ok()
        })
        .await;
    }
}

/// Recipe of a server that writes nothing to disk. `redis-server` 7 must be on PATH (Debian:
/// redis-server).
#[must_use]
pub fn recipe(folder: &Path, address: SocketAddr) -> Recipe {
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let words = ["redis-server", "--bind", &ip, "--save", "", "--appendonly", "no", "--port", &port];
    let command = words.map(str::to_owned).to_vec();
    Recipe { name: "redis".into(), command, environment: Vec::new(), folder: folder.to_owned(), address }
}
