//! One gateway on NATS with a core of its own; viewers and the publisher share the other core.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};

use super::admin;
use super::{Build, Callgrind, Core, Part, Process, ROOM, Readers, Server};
use crate::run::{command, root};

const PUBLIC: &str = "127.0.0.1:18490";
const ADMIN: &str = "127.0.0.1:18491";
/// Token key of the gateway and of the viewers.
pub(crate) const KEY: &str = "62656e636862656e636862656e636862656e636862656e636862656e63686265";
/// Limits above the load, so that only the processor limits the gateway.
const CONFIG: &str = "[gateway]\nshards = 1\nviewers_max = 19000\nuser_connections_max = 19000\n\
    joins_per_s = 1000000\negress_bytes_per_s = 100000000000\n[http]\nconnections_max = 19500\n";

/// A gateway that is counted is slow: it must neither drop viewers that send no heartbeat, nor messages.
const COUNTED: &str = "ping_margin_ms = 600000\n";

/// A running gateway and its NATS server.
pub(crate) struct Gateway<'b> {
    pub(crate) process: Process,
    nats: Server,
    folder: PathBuf,
    binary: String,
    build: &'b Build,
}

impl<'b> Gateway<'b> {
    /// Public address of every gateway that a bench starts.
    pub(crate) const ADDRESS: &'static str = PUBLIC;

    /// Starts a binary in an empty folder, with lines of configuration behind `[gateway]`.
    pub(crate) fn start(build: &'b Build, binary: &str, name: &str, gateway: &str) -> anyhow::Result<Self> {
        let folder = empty_folder(name)?;
        Self::start_in(build, binary, folder, &with_keys(gateway), None)
    }

    /// Starts a binary whose join queue the lines of configuration set.
    pub(crate) fn start_joinable(build: &'b Build, binary: &str, queue: &str) -> anyhow::Result<Self> {
        let folder = empty_folder("handshake")?;
        let config = CONFIG.replacen("joins_per_s = 1000000\n", queue, 1);
        Self::start_in(build, binary, folder, &config, None)
    }

    /// Starts a binary as [`Gateway::start`] does, with its instructions counted.
    pub(crate) fn start_counted(
        build: &'b Build,
        binary: &str,
        gateway: &str,
        callgrind: &Callgrind,
    ) -> anyhow::Result<Self> {
        let folder = empty_folder("instructions")?;
        let config = with_keys(&format!("{gateway}{COUNTED}")) + "[gateway.overload]\nraise_ms = 600000\n";
        Self::start_in(build, binary, folder, &config, Some(callgrind))
    }

    /// Starts a binary as [`Gateway::start`] does, with TLS on the public listener.
    pub(crate) fn start_encrypted(
        build: &'b Build,
        binary: &str,
        name: &str,
        gateway: &str,
    ) -> anyhow::Result<Self> {
        let folder = empty_folder(name)?;
        certify(&folder)?;
        let file = |name: &str| folder.join(name).display().to_string();
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        let config = with_keys(gateway);
        let config = format!("{config}tls_cert_file = {cert:?}\ntls_key_file = {key:?}\n");
        Self::start_in(build, binary, folder, &config, None)
    }

    fn start_in(
        build: &'b Build,
        binary: &str,
        folder: PathBuf,
        config: &str,
        callgrind: Option<&Callgrind>,
    ) -> anyhow::Result<Self> {
        let config = &without_new_keys(config, binary)?;
        let data = folder.join("gateway");
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("token.key"), KEY)?;
        let nats = Server::nats(&folder)?;
        let file = folder.join("barrage.toml");
        std::fs::write(&file, format!("{config}[nats]\nurls = [{:?}]\n", nats.url))?;
        // The room must exist before viewers join.
        Part::publisher(build, &nats.url, &[])?;
        let (config, data) = (file.display().to_string(), data.display().to_string());
        let arguments = [
            "gateway",
            "--config",
            &config,
            "--data-dir",
            &data,
            "--listen",
            PUBLIC,
            "--admin-listen",
            ADMIN,
        ];
        let log = std::fs::File::create(folder.join("gateway.log"))?;
        let mut started = match callgrind {
            Some(callgrind) => callgrind.command(binary, &arguments),
            None => Core::Measured.command(binary, &arguments),
        };
        let process = Process(started.stdout(Stdio::null()).stderr(log).spawn()?);
        let gateway = Gateway { process, nats, folder, binary: binary.to_owned(), build };
        admin::wait_ready(ADMIN)?;
        Ok(gateway)
    }

    /// Opens viewers' connections to this gateway and waits until all have joined.
    pub(crate) fn viewers(&self, viewers: u32, more: &[&str]) -> anyhow::Result<Part> {
        Part::viewers(self.build, PUBLIC, viewers, more)
    }

    /// Opens viewers' connections in so many processes, and waits until all have joined.
    pub(crate) fn readers(&self, viewers: u32, processes: u32) -> anyhow::Result<Readers> {
        Readers::open(self.build, PUBLIC, viewers, processes, &[])
    }

    /// Publishes messages at a rate until the part is dropped.
    pub(crate) fn publish(&self, messages_per_s: f64) -> anyhow::Result<Part> {
        Part::publisher(self.build, &self.nats.url, &["--per-s", &messages_per_s.to_string()])
    }

    /// Starts a publisher that publishes `messages` at a rate after each mark.
    pub(crate) fn publisher(&self, messages_per_s: f64, messages: u32) -> anyhow::Result<Part> {
        let (per_s, messages) = (messages_per_s.to_string(), messages.to_string());
        Part::publisher(self.build, &self.nats.url, &["--per-s", &per_s, "--messages", &messages])
    }

    /// Returns the file of the gateway's self-signed certificate.
    pub(crate) fn certificate(&self) -> String {
        self.folder.join("cert.pem").display().to_string()
    }

    /// Returns the file of the certificate's key.
    pub(crate) fn certificate_key(&self) -> String {
        self.folder.join("key.pem").display().to_string()
    }

    /// Makes a token that the gateway accepts.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        let arguments = ["token", "--user", "bench", "--room", ROOM, "--role", "viewer", "--data-dir"];
        let output = command(&self.binary, &arguments).arg(self.folder.join("gateway")).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Returns a metric, summed over all series with `label` in their labels.
    pub(crate) fn metric(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        admin::metric(ADMIN, name, label)
    }
}

/// Returns the configuration with more lines behind `[gateway]`.
fn with_keys(gateway: &str) -> String {
    CONFIG.replacen("[gateway]\n", &format!("[gateway]\n{gateway}"), 1)
}

/// Removes keys that a binary before 0.2.0 refuses.
fn without_new_keys(config: &str, binary: &str) -> anyhow::Result<String> {
    let output =
        command(binary, &["--version"]).output().with_context(|| format!("{binary} cannot be started"))?;
    if !String::from_utf8_lossy(&output.stdout).trim().ends_with(" 0.1.0") {
        return Ok(config.to_owned());
    }
    Ok(config
        .lines()
        .filter(|line| !line.starts_with("user_connections_max"))
        .fold(String::new(), |all, line| all + line + "\n"))
}

/// Makes the folder of a bench, without the files of the last run.
pub(crate) fn empty_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = root().join("target/bench").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Makes `cert.pem` and `key.pem` for the name `localhost`.
pub(super) fn certify(folder: &Path) -> anyhow::Result<()> {
    let line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                -keyout key.pem -out cert.pem";
    let arguments: Vec<_> = line.split(' ').collect();
    let mut openssl = command("openssl", &arguments);
    let output = openssl.current_dir(folder).output().context("openssl cannot be started; install it")?;
    if !output.status.success() {
        bail!("openssl made no certificate: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
