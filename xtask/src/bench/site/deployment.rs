//! Gateway and uplink on one NATS server: in one process, or in two on the same core. So both ways have
//! the same processor, and differ in what the two parts share.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::gateway::{KEY, certify, empty_folder};
use super::{Build, Core, Part, Process, Server, admin};
use crate::run::command;

/// Public and admin address of the gateway, which is the whole platform in one process.
pub(crate) const GATEWAY: [&str; 2] = ["127.0.0.1:18484", "127.0.0.1:18485"];
/// Public and admin address of the uplink, where it is a process of its own.
const UPLINK: [&str; 2] = ["127.0.0.1:18486", "127.0.0.1:18487"];
/// Room of the measured posts. Nobody watches it: its deliveries are no load.
pub(crate) const POSTS_ROOM: &str = "posts";
/// Limits above the load, so that only the processor limits the parts, and one batch a message.
const CONFIG: &str = "[gateway]\nshards = 1\nviewers_max = 19000\nuser_connections_max = 19000\n\
    joins_per_s = 1000000\negress_bytes_per_s = 100000000000\nwindow_ms = 1\nwindow_ms_max = 1\n\
    [uplink.limits]\nuser_per_s = 1000000\nroom_display_chat_per_s = 1000000\n[http]\nconnections_max = 19500\n";

/// Whether gateway and uplink share a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processes {
    /// Gateway and uplink are one process.
    One,
    /// Gateway and uplink are a process each.
    Two,
}

/// Running gateway and uplink, and their NATS server.
pub(crate) struct Deployment<'b> {
    /// The process that delivers.
    pub(crate) gateway: Process,
    _uplink: Option<Process>,
    nats: Server,
    folder: PathBuf,
    build: &'b Build,
    uplink_address: &'static str,
}

impl<'b> Deployment<'b> {
    /// Starts the processes in an empty folder, without TLS.
    pub(crate) fn start(build: &'b Build, processes: Processes) -> anyhow::Result<Self> {
        Self::start_in(build, processes, empty_folder("channel")?, CONFIG)
    }

    /// Starts one process with TLS on its public listener.
    pub(crate) fn start_encrypted(build: &'b Build) -> anyhow::Result<Self> {
        let folder = empty_folder("channel")?;
        certify(&folder)?;
        let file = |name: &str| folder.join(name).display().to_string();
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        let config = format!("{CONFIG}tls_cert_file = {cert:?}\ntls_key_file = {key:?}\n");
        Self::start_in(build, Processes::One, folder, &config)
    }

    fn start_in(
        build: &'b Build,
        processes: Processes,
        folder: PathBuf,
        config: &str,
    ) -> anyhow::Result<Self> {
        let nats = Server::nats(&folder)?;
        let store = folder.join("store.db").display().to_string();
        let config = format!("{config}[nats]\nurls = [{:?}]\n[store]\nfile = {store:?}\n", nats.url);
        std::fs::write(folder.join("barrage.toml"), config)?;
        // The rooms must exist before viewers join and posts come.
        for room in [super::ROOM, POSTS_ROOM] {
            Part::publisher_of(build, &nats.url, room, &[])?;
        }
        let one = processes == Processes::One;
        let gateway = start(build, &folder, if one { "up" } else { "gateway" }, GATEWAY)?;
        let uplink = if one { None } else { Some(start(build, &folder, "uplink", UPLINK)?) };
        admin::wait_ready(GATEWAY[1])?;
        if uplink.is_some() {
            admin::wait_ready(UPLINK[1])?;
        }
        let uplink_address = if one { GATEWAY[0] } else { UPLINK[0] };
        Ok(Deployment { gateway, _uplink: uplink, nats, folder, build, uplink_address })
    }

    /// Opens viewers' connections and waits until all have joined.
    pub(crate) fn viewers(&self, viewers: u32) -> anyhow::Result<Part> {
        Part::viewers(self.build, GATEWAY[0], viewers, &["--one-in", "1000000"])
    }

    /// Publishes messages to the viewers' room at a rate until the part is dropped, past the uplink.
    pub(crate) fn publish(&self, messages_per_s: f64) -> anyhow::Result<Part> {
        Part::publisher(self.build, &self.nats.url, &["--per-s", &messages_per_s.to_string()])
    }

    /// Posts at a rate until the part is dropped.
    pub(crate) fn posts(&self, per_s: f64) -> anyhow::Result<Part> {
        let (url, token, per_s) =
            (format!("http://{}", self.uplink_address), self.token()?, per_s.to_string());
        let arguments = ["posts", "--url", &url, "--token", &token, "--room", POSTS_ROOM, "--per-s", &per_s];
        Part::start_posting(self.build, &arguments)
    }

    /// Returns the address of the uplink and the file of its self-signed certificate.
    pub(crate) fn encrypted_uplink(&self) -> (&'static str, String) {
        (self.uplink_address, self.folder.join("cert.pem").display().to_string())
    }

    /// Makes a token that the uplink accepts.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        let arguments = ["token", "--user", "bench", "--room", POSTS_ROOM, "--role", "viewer", "--data-dir"];
        let output = command(&self.build.barrage(), &arguments).arg(self.folder.join("data-up")).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Returns a metric of the gateway, summed over all series.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        admin::metric(GATEWAY[1], name, "")
    }
}

fn start(build: &Build, folder: &Path, role: &str, [public, admin]: [&str; 2]) -> anyhow::Result<Process> {
    // Every process has the key: `up` in its own folder is what makes tokens.
    let data = folder.join(format!("data-{role}"));
    for folder in [&data, &folder.join("data-up")] {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("token.key"), KEY)?;
    }
    let config = folder.join("barrage.toml").display().to_string();
    let arguments = [role, "--config", &config, "--listen", public, "--admin-listen", admin, "--data-dir"];
    let log = std::fs::File::create(folder.join(format!("{role}.log")))?;
    let mut started = Core::Measured.command(&build.barrage(), &arguments);
    Ok(Process(started.arg(data).stdout(Stdio::null()).stderr(log).spawn()?))
}
