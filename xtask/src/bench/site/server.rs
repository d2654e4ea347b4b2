//! Servers that a bench needs beside Barrage: NATS and Redis, each on a fixed port.

use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::admin::pause;
use super::{Core, Process};
use crate::run::{command, root};
use crate::setup;

const NATS: &str = "127.0.0.1:18492";
const REDIS: &str = "127.0.0.1:18493";
const START_MAX: Duration = Duration::from_secs(20);

/// A server that other processes of the bench connect to.
pub(crate) struct Server {
    _process: Process,
    pub(crate) url: String,
}

impl Server {
    /// Starts a NATS server on the core of the others.
    pub(crate) fn nats(folder: &Path) -> anyhow::Result<Server> {
        let program = setup::nats_server()?;
        let data = folder.join("nats").display().to_string();
        let arguments = ["-js", "-a", "127.0.0.1", "-p", port(NATS), "-sd", &data];
        let mut nats = Core::Others.command(&program.to_string_lossy(), &arguments);
        Server::start(nats.stdout(Stdio::null()).stderr(Stdio::null()), "nats", NATS)
    }

    /// Starts a Redis server without persistence, on any core.
    pub(crate) fn redis() -> anyhow::Result<Server> {
        let folder = root().join("target/bench/redis");
        std::fs::create_dir_all(&folder)?;
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", port(REDIS)];
        let mut redis = command("redis-server", &arguments);
        Server::start(redis.current_dir(folder).stdout(Stdio::null()), "redis", REDIS)
    }

    fn start(command: &mut std::process::Command, scheme: &str, address: &str) -> anyhow::Result<Server> {
        let started = command.spawn().with_context(|| format!("the {scheme} server cannot be started"))?;
        let server = Server { _process: Process(started), url: format!("{scheme}://{address}") };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > START_MAX {
                bail!("the {scheme} server did not listen within {START_MAX:?}; is {address} in use?");
            }
            pause();
        }
        Ok(server)
    }
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or_default()
}
