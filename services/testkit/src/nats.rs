//! A real NATS server with JetStream, as a process of the test.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

use crate::process::{Process, Recipe, free_address};
use crate::{programs, wait};

/// Longest wait for the greeting of a server.
const START_MAX: Duration = Duration::from_secs(30);

/// A NATS server on a free port of loopback, which stores in a temporary folder. Killed on drop.
#[derive(Debug)]
pub struct NatsServer {
    process: Process,
}

impl NatsServer {
    /// Starts a server and waits for its greeting.
    pub async fn start() -> Self {
        NatsServer::start_with(&[]).await
    }

    /// Starts a server with further arguments, and waits for its greeting.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let server = NatsServer::spawn("nats", arguments.iter().map(ToString::to_string).collect());
        server.greeted().await;
        server
    }

    /// Starts a cluster of three servers named `n0` to `n2`, for streams of three replicas.
    pub async fn start_cluster() -> Vec<Self> {
        let links: Vec<_> = (0..3).map(|_| format!("nats://{}", free_address())).collect();
        let routes = links.join(",");
        let servers: Vec<_> = links
            .iter()
            .enumerate()
            .map(|(n, link)| {
                let name = format!("n{n}");
                let words = ["-n", &name, "-cluster_name", "c", "-cluster", link, "-routes", &routes]
                    .map(String::from);
                NatsServer::spawn(&name, words.into())
            })
            .collect();
        for server in &servers {
            server.greeted().await;
        }
        servers
    }

    fn spawn(name: &str, mut arguments: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Streams reserve gigabytes that a test does not fill. Without a number, three quarters of the free space count.
        let file = folder.path().join("nats.conf");
        std::fs::write(&file, "jetstream { max_file_store: 1TB }\n").unwrap();
        arguments.extend(["-c".to_owned(), file.display().to_string()]);
        let recipe = recipe(name, folder.path(), free_address(), arguments);
        NatsServer { process: Process::spawn(recipe, Some(folder)) }
    }

    /// Returns the loopback address of the client port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.recipe.address
    }

    /// Returns the `nats://` URL of the client port.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Kills the server at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again on its port and its store.
    pub async fn restart(&mut self) {
        self.process.restart().await;
        self.greeted().await;
    }

    /// Stops the process where it is: connections stay open and get no answer.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Continues a server that was paused; connections go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    async fn greeted(&self) {
        wait::until_true(START_MAX, "a NATS server that greets", async || {
            let Ok(stream) = TcpStream::connect(self.address()).await else { return false };
            let mut line = String::new();
            let read = BufReader::new(stream).read_line(&mut line).await;
            assert!(line.is_empty() || line.contains(r#""jetstream":true"#), "{line}");
            read.is_ok_and(|read| read > 0)
        })
        .await;
    }
}

/// Recipe of a server that stores under `folder`.
#[must_use]
pub fn recipe(name: &str, folder: &Path, address: SocketAddr, arguments: Vec<String>) -> Recipe {
    let (program, port) = (programs::nats_server().display().to_string(), address.port().to_string());
    let store = folder.join(name).display().to_string();
    let mut command = vec![program, "-js".into(), "-a".into(), address.ip().to_string(), "-p".into(), port];
    command.extend(["-sd".to_owned(), store]);
    command.extend(arguments);
    Recipe { name: name.to_owned(), command, environment: Vec::new(), folder: folder.to_owned(), address }
}
