//! The whole platform in one process on the measured core, for posts from outside: on its embedded log, or on a
//! NATS server on the core of the others.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, ensure};

use super::gateway::{KEY, empty_folder};
use super::{Build, Core, Part, Process, ROOM, Server, admin};
use crate::run::command;

/// Limits above the load. All checks run, and none refuses or holds a post.
const CONFIG: &str = "[uplink.limits]\nuser_per_s = 1000000\naddress_per_s = 1000000\nplatform_per_s = 10000000\n\
    room_display_chat_per_s = 1000000\n";

/// Log that keeps the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostLog {
    /// The file of the process itself.
    Embedded,
    /// A NATS server on the other core.
    Nats,
}

impl PostLog {
    const fn name(self) -> &'static str {
        match self {
            PostLog::Embedded => "embedded",
            PostLog::Nats => "nats",
        }
    }

    /// Public and admin address. Servers with different logs run at the same time.
    const fn addresses(self) -> [&'static str; 2] {
        match self {
            PostLog::Embedded => ["127.0.0.1:18476", "127.0.0.1:18477"],
            PostLog::Nats => ["127.0.0.1:18478", "127.0.0.1:18479"],
        }
    }
}

/// A running `barrage up` with the room of the bench, and its NATS server where it has one.
pub(crate) struct PostServer {
    pub(crate) process: Process,
    pub(crate) address: &'static str,
    key: PathBuf,
    _nats: Option<Server>,
}

impl PostServer {
    /// Starts a binary in an empty folder, and makes the room.
    pub(crate) fn start(binary: &str, log: PostLog) -> anyhow::Result<PostServer> {
        let folder = empty_folder(&format!("uplink-{}", log.name()))?;
        let nats = if log == PostLog::Nats { Some(Server::nats(&folder)?) } else { None };
        let of_nats = nats.as_ref().map(|nats| format!("[nats]\nurls = [{:?}]\n", nats.url));
        let config = folder.join("barrage.toml");
        std::fs::write(&config, format!("{CONFIG}{}", of_nats.unwrap_or_default()))?;
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        let key = data.join("token.key");
        std::fs::write(&key, KEY)?;
        let [address, admin] = log.addresses();
        let mut started = Core::Measured
            .command(binary, &["up", "--listen", address, "--admin-listen", admin, "--data-dir"]);
        started.arg(&data).arg("--config").arg(&config);
        let file = std::fs::File::create(folder.join("server.log"))?;
        let started = started.stdout(Stdio::null()).stderr(file).spawn();
        let process = Process(started.context("the server cannot be started")?);
        admin::wait_ready(admin)?;
        let admin_url = format!("http://{admin}");
        let mut made = command(binary, &["room", "set", ROOM, "--admin", &admin_url, "--data-dir"]);
        ensure!(made.arg(&data).stdout(Stdio::null()).status()?.success(), "the room was not made");
        Ok(PostServer { process, address, key, _nats: nats })
    }

    /// Starts connections that post, as fast as they are answered or at a pace.
    pub(crate) fn flood(&self, build: &Build, connections: u32, per_s: Option<f64>) -> anyhow::Result<Part> {
        Part::flood(build, self.address, &self.key.display().to_string(), connections, per_s)
    }

    /// Returns the file of the secret that signs tokens.
    pub(crate) fn key(&self) -> String {
        self.key.display().to_string()
    }
}
