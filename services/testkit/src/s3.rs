//! Servers of others that speak S3, unmodified.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::process::{Process, Recipe, free_address};

/// A program that speaks S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Program {
    /// s3rver of npm: files, and no check of anything but the signature.
    S3rver,
    /// moto of PyPI: in memory.
    Moto,
    /// s3s-fs of the Rust registry, which the full tier compiles: files, and S3 read strictly.
    S3sFs,
}

/// A running server with an empty bucket, which is killed when the value is dropped.
#[derive(Debug)]
pub struct S3Server {
    process: Process,
    folder: TempDir,
}

impl S3Server {
    /// Bucket that exists from the start.
    pub const BUCKET: &str = "barrage";
    /// Id of the key that the server takes, and its secret.
    pub const KEY: &str = "S3RVER";

    /// Starts a server, and waits for its port and its bucket.
    pub async fn start(program: S3Program) -> S3Server {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let (command, environment) = match program {
            S3Program::S3rver => s3rver(folder.path(), address),
            S3Program::Moto => moto(address),
            S3Program::S3sFs => s3s_fs(folder.path(), address),
        };
        let recipe = Recipe {
            name: format!("{program:?}").to_lowercase(),
            command,
            environment,
            folder: folder.path().into(),
            address,
        };
        let process = Process::start(recipe).await;
        if program == S3Program::Moto {
            create_bucket(address).await;
        }
        S3Server { process, folder }
    }

    /// Returns the loopback address of its port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.recipe.address
    }

    /// Returns the base URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Returns a file with the secret of the key, which lives as long as the server.
    #[must_use]
    pub fn secret_file(&self) -> PathBuf {
        let file = self.folder.path().join("secret");
        std::fs::write(&file, S3Server::KEY).unwrap();
        file
    }

    /// Stops the process where it is: connections stay open and get no answer.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Continues the process after a pause.
    pub fn resume(&self) {
        self.process.resume();
    }
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools")
}

fn s3rver(folder: &Path, address: SocketAddr) -> (Vec<String>, Vec<(String, String)>) {
    let program = tools().join("s3rver/node_modules/s3rver/bin/s3rver.js");
    assert!(program.is_file(), "s3rver of npm is missing; run `cargo xtask setup`");
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let data = folder.join("data").display().to_string();
    let options = [
        "--silent",
        "--directory",
        &data,
        "--address",
        &ip,
        "--port",
        &port,
        "--configure-bucket",
        S3Server::BUCKET,
    ];
    let command = ["node".to_owned(), program.display().to_string()].into_iter();
    let command = command.chain(options.map(str::to_owned)).collect();
    (command, vec![("NODE_NO_WARNINGS".to_owned(), "1".to_owned())])
}

fn moto(address: SocketAddr) -> (Vec<String>, Vec<(String, String)>) {
    let packages = tools().join("moto");
    assert!(packages.is_dir(), "moto of PyPI is missing; run `cargo xtask setup`");
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let command = ["python3", "-m", "moto.server", "-H", &ip, "-p", &port].map(str::to_owned);
    (command.into(), vec![("PYTHONPATH".to_owned(), packages.display().to_string())])
}

/// Creates the bucket: moto takes any signature, and none.
async fn create_bucket(address: SocketAddr) {
    let bucket = S3Server::BUCKET;
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "PUT /{bucket} HTTP/1.1\r\nHost: s3.amazonaws.com\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn s3s_fs(folder: &Path, address: SocketAddr) -> (Vec<String>, Vec<(String, String)>) {
    let program = tools().join("s3s-fs/bin/s3s-fs");
    assert!(program.is_file(), "s3s-fs is missing; `cargo xtask test --full` compiles it");
    let data = folder.join("data");
    std::fs::create_dir_all(data.join(S3Server::BUCKET)).unwrap();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let key = S3Server::KEY;
    let options = ["--host", &ip, "--port", &port, "--access-key", key, "--secret-key", key];
    let words = std::iter::once(program.display().to_string()).chain(options.map(str::to_owned));
    (words.chain([data.display().to_string()]).collect(), Vec::new())
}
