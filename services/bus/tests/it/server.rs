//! A real NATS server on a port of its own, killed on drop.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use barrage_testkit::programs;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

/// Longest wait for a start.
const START_WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    arguments: Vec<String>,
    folder: tempfile::TempDir,
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).unwrap()
}

impl Server {
    pub(crate) async fn start() -> Self {
        Server::start_with(&[]).await
    }

    /// Starts a server with additional arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        let server = Server::spawn(arguments.iter().map(ToString::to_string).collect());
        server.ready().await;
        server
    }

    /// Starts a cluster of three servers, named `n0` to `n2`.
    pub(crate) async fn start_three() -> Vec<Self> {
        let links: Vec<_> = (0..3).map(|_| format!("nats://{}", free_address())).collect();
        let arguments = |n: usize| {
            let name = format!("n{n}");
            let routes = links.join(",");
            ["-n", &name, "-cluster_name", "c", "-cluster", &links[n], "-routes", &routes].map(String::from)
        };
        let servers: Vec<_> = (0..3).map(|n| Server::spawn(arguments(n).into())).collect();
        for server in &servers {
            server.ready().await;
        }
        servers
    }

    fn spawn(arguments: Vec<String>) -> Self {
        let (address, folder) = (free_address(), tempfile::tempdir().unwrap());
        Server { child: spawn(address, &arguments, folder.path()), address, arguments, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Kills the server at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the process (`STOP`) or continues it (`CONT`).
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Starts the server again, on the same port and the same files.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(self.address, &self.arguments, self.folder.path());
        self.ready().await;
    }

    async fn ready(&self) {
        let greeted = async {
            loop {
                if let Ok(stream) = TcpStream::connect(self.address).await {
                    let mut line = String::new();
                    if BufReader::new(stream).read_line(&mut line).await.is_ok_and(|read| read > 0) {
                        assert!(line.contains(r#""jetstream":true"#), "{line}");
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(START_WAIT_MAX, greeted).await.expect("the NATS server did not start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(address: SocketAddr, arguments: &[String], folder: &Path) -> Child {
    let program = programs::nats_server();
    Command::new(&program)
        .args(["-js", "-a", "127.0.0.1", "-p", &address.port().to_string(), "-sd"])
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}
