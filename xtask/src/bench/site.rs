//! One gateway on NATS with a core of its own, and around it on the other core a crowd
//! and who publishes; and the same crowd before the limit.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::ready;
use crate::run::{command, root, run};

const PUBLIC: &str = "127.0.0.1:18490";
const ADMIN: &str = "127.0.0.1:18491";
const NATS: &str = "127.0.0.1:18492";
pub(crate) const ROOM: &str = "bench";
pub(crate) const BARRAGE: &str = "target/release/barrage";
const PARTS: &str = "target/release/examples/fanout";
/// The core of what is measured, and that of everything else.
const CORES: [&str; 2] = ["0", "1"];
/// One key for the gateway and for who joins it with a token.
const KEY: &str = "62656e636862656e636862656e636862656e636862656e636862656e63686265";
/// Times in `/proc/PID/stat` are in these.
const TICKS_PER_S: f64 = 100.0;
/// No limit is to be met but the processor's.
const CONFIG: &str = "[gateway]\nshards = 1\nviewers_max = 19000\njoins_per_s = 1000000\n\
    egress_bytes_per_s = 100000000000\n[http]\nconnections_max = 19500\n";

/// Builds what is measured.
pub(crate) fn build() -> anyhow::Result<()> {
    run(command("cargo", &["build", "--release", "-p", "barrage", "--bins", "--examples"]))
}

/// A process that ends with its owner.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    /// Seconds of processor time that it has used.
    pub(crate) fn cpu_secs(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
        // utime and stime, counted from the field behind the name.
        let (user, system) = ticks(11).zip(ticks(12)).context("/proc/PID/stat is not as expected")?;
        Ok((user + system) / TICKS_PER_S)
    }

    /// Bytes of memory that are its own.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1_024.0)
    }
}

/// One of the bench's own parts: lines in, lines of JSON out.
pub(crate) struct Part {
    pub(crate) process: Process,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Part {
    fn start(core: &str, arguments: &[&str]) -> anyhow::Result<Part> {
        let mut child = pinned(core, PARTS, arguments);
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let asks = child.stdin.take().context("no stdin")?;
        let answers = BufReader::new(child.stdout.take().context("no stdout")?);
        Ok(Part { process: Process(child), asks, answers })
    }

    /// The next line that it prints.
    pub(crate) fn says(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("a part of the bench ended early");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// What it counted since the last mark.
    pub(crate) fn mark(&mut self) -> anyhow::Result<Value> {
        writeln!(self.asks)?;
        self.says()
    }
}

/// A crowd before an address, with more arguments.
pub(crate) fn crowd(address: &str, viewers: u32, more: &[&str]) -> anyhow::Result<Part> {
    let viewers = viewers.to_string();
    let arguments = ["read", "--address", address, "--viewers", &viewers, "--room", ROOM];
    Part::start(CORES[1], &[&arguments, more].concat())
}

/// The limit, waiting for its crowd; and its address.
pub(crate) fn limit(viewers: u32, frame_bytes: f64, frames_per_s: f64) -> anyhow::Result<(Part, String)> {
    let (viewers, bytes) = (viewers.to_string(), format!("{frame_bytes:.0}"));
    let rate = frames_per_s.to_string();
    let arguments = ["limit", "--viewers", &viewers, "--frame-bytes", &bytes, "--frames-per-s", &rate];
    let mut limit = Part::start(CORES[0], &arguments)?;
    let address = limit.says()?["address"].as_str().context("no address")?.to_owned();
    Ok((limit, address))
}

/// A gateway and its NATS.
pub(crate) struct Site {
    pub(crate) gateway: Process,
    _nats: Process,
    folder: PathBuf,
    binary: String,
}

impl Site {
    /// Starts a gateway from an empty folder, with lines of configuration behind `[gateway]`.
    pub(crate) fn start(binary: &str, name: &str, gateway: &str) -> anyhow::Result<Site> {
        Site::start_with(binary, name, gateway, false)
    }

    /// Starts a gateway that speaks TLS.
    pub(crate) fn start_encrypted(binary: &str, name: &str) -> anyhow::Result<Site> {
        Site::start_with(binary, name, "", true)
    }

    fn start_with(binary: &str, name: &str, gateway: &str, is_encrypted: bool) -> anyhow::Result<Site> {
        let folder = root().join("target/bench").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let data = folder.join("gateway");
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("token.key"), KEY)?;
        let mut config = CONFIG.replacen("[gateway]\n", &format!("[gateway]\n{gateway}"), 1);
        if is_encrypted {
            certify(&folder)?;
            let file = |name: &str| folder.join(name).display().to_string();
            let (cert, key) = (file("cert.pem"), file("key.pem"));
            config.push_str(&format!("tls_cert_file = {cert:?}\ntls_key_file = {key:?}\n"));
        }
        std::fs::write(folder.join("barrage.toml"), format!("{config}[nats]\nurls = [\"nats://{NATS}\"]\n"))?;
        let nats = nats(&folder)?;
        let mut publish = publisher(&[])?;
        publish.says()?;
        let config = folder.join("barrage.toml").display().to_string();
        let data = data.display().to_string();
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
        let mut started = pinned(CORES[0], binary, &arguments);
        let log = std::fs::File::create(folder.join("gateway.log"))?;
        let started = started.stdout(Stdio::null()).stderr(log).spawn()?;
        let binary = binary.to_owned();
        let site = Site { gateway: Process(started), _nats: nats, folder, binary };
        ready::wait(ADMIN)?;
        Ok(site)
    }

    /// A crowd before the gateway.
    pub(crate) fn crowd(&self, viewers: u32, more: &[&str]) -> anyhow::Result<Part> {
        crowd(PUBLIC, viewers, more)
    }

    /// Publishes until it is dropped.
    pub(crate) fn publish(&self, per_s: f64) -> anyhow::Result<Part> {
        let mut part = publisher(&["--per-s", &per_s.to_string()])?;
        part.says()?;
        Ok(part)
    }

    /// The certificate that the gateway shows, which vouches for itself.
    pub(crate) fn certificate(&self) -> String {
        self.folder.join("cert.pem").display().to_string()
    }

    /// A token that the gateway takes.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        let mut mint =
            command(&self.binary, &["token", "--user", "bench", "--room", ROOM, "--role", "viewer"]);
        let output = mint.arg("--data-dir").arg(self.folder.join("gateway")).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// A counter of the gateway, over all its labels that contain `label`.
    pub(crate) fn metric(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        ready::metric(ADMIN, name, label)
    }
}

/// Makes `cert.pem` and `key.pem` for the name `localhost`.
fn certify(folder: &Path) -> anyhow::Result<()> {
    let line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                -keyout key.pem -out cert.pem";
    let arguments: Vec<_> = line.split(' ').collect();
    let output = command("openssl", &arguments).current_dir(folder).output().context("openssl is needed")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn publisher(more: &[&str]) -> anyhow::Result<Part> {
    let nats = format!("nats://{NATS}");
    Part::start(CORES[1], &[&["publish", "--nats", &nats, "--room", ROOM], more].concat())
}

fn nats(folder: &Path) -> anyhow::Result<Process> {
    crate::install::nats_server()?;
    let own = root().join("target/tools/nats/bin/nats-server");
    let program = if own.is_file() { own.display().to_string() } else { "nats-server".to_owned() };
    let port = NATS.rsplit(':').next().unwrap_or_default();
    let data = folder.join("nats").display().to_string();
    let mut nats = pinned(CORES[1], &program, &["-js", "-a", "127.0.0.1", "-p", port, "-sd", &data]);
    let nats = Process(nats.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let started = Instant::now();
    while std::net::TcpStream::connect(NATS).is_err() {
        if started.elapsed() > Duration::from_secs(20) {
            bail!("nats-server is not up; is something else on {NATS}?");
        }
        ready::pause();
    }
    Ok(nats)
}

fn pinned(core: &str, program: &str, arguments: &[&str]) -> Command {
    command("taskset", &[&["-c", core, program], arguments].concat())
}
