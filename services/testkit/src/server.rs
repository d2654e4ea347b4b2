//! A `barrage up` process on free ports, alone or as a fleet.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::answer::Answer;
use crate::{ClientTls, wait};

/// Arguments, environment and files of a server.
#[derive(Debug, Default, Clone)]
pub struct ServerOptions {
    /// Arguments for `barrage up` beyond those of the harness.
    pub arguments: Vec<String>,
    /// Environment variables that are set for the server.
    pub environment: Vec<(String, String)>,
    /// Data directory to reuse; a new temporary one when absent.
    pub data_dir: Option<PathBuf>,
    /// File for the log; the test's own stderr when absent.
    pub log: Option<PathBuf>,
    /// Ports to reuse, public and admin; free ones when absent.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
}

/// A running server, which is killed when the value is dropped.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    child: Child,
    /// Public address; in a fleet, the one of entry.
    pub public: SocketAddr,
    /// Admin address; in a fleet, the one of the first uplink.
    pub admin: SocketAddr,
    /// Processes of a fleet (`up --cluster`), entry first; empty for a single process.
    pub members: Vec<Endpoint>,
    data_dir: PathBuf,
    _temporary: Option<TempDir>,
    http: reqwest::Client,
}

/// Addresses of one process of a fleet.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoint {
    /// Name of the process in its fleet, such as `gateway-1`.
    pub name: String,
    /// Addresses of the public listeners of the process.
    pub public: Vec<SocketAddr>,
    /// Address of the admin listener of the process.
    pub admin: SocketAddr,
}

/// The JSON line that `barrage --ready-fd` writes when it listens.
#[derive(Debug, Deserialize)]
struct Ready {
    public: Vec<SocketAddr>,
    admin: SocketAddr,
    #[serde(default)]
    members: Vec<Endpoint>,
}

/// Limits that are raised out of the way, because tests post faster than people. A test of a limit
/// sets its own value.
const UNLIMITED: [&str; 5] = [
    "UPLINK__LIMITS__ADDRESS_PER_S",
    "UPLINK__LIMITS__USER_PER_S",
    "UPLINK__LIMITS__PLATFORM_PER_S",
    "UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S",
    "ENTRY__ADDRESS_PER_S",
];

/// Longest wait for an answer, for the ready line and for the end of the process.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Longest wait for the ready line of a fleet, which waits for its servers and members in turn.
const FLEET_START_MAX: Duration = Duration::from_secs(60);

impl Server {
    /// Starts `barrage up` and waits until `/readyz` answers 200.
    pub async fn start(binary: &str, options: ServerOptions) -> Server {
        let server = Server::start_unready(binary, options).await;
        wait::until_true(ANSWER_MAX, "a server that is ready", async || {
            let answer = server.http.get(format!("http://{}/readyz", server.admin)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        server
    }

    /// Starts `barrage up` and waits until it listens. `/readyz` may still answer 503.
    pub async fn start_unready(binary: &str, options: ServerOptions) -> Server {
        ClientTls::make_ring_default();
        let temporary = options.data_dir.is_none().then(|| TempDir::new().unwrap());
        let data_dir = options.data_dir.unwrap_or_else(|| temporary.as_ref().unwrap().path().join("data"));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (public, admin) = options.addresses.unwrap_or((any, any));
        let log = options.log.map_or_else(Stdio::inherit, |path| std::fs::File::create(path).unwrap().into());
        let mut child = Command::new(binary)
            .args(["up", "--ready-fd", "1", "--listen", &public.to_string()])
            .args(["--admin-listen", &admin.to_string(), "--data-dir"])
            .arg(&data_dir)
            .args(&options.arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .env("RUST_LOG", "warn")
            .envs(UNLIMITED.map(|name| (format!("BARRAGE_{name}"), "1000000")))
            .envs(options.environment)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let read = wait::within(FLEET_START_MAX, "the ready line of a server", stdout.read_line(&mut line));
        read.await.unwrap();
        let ready: Ready = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the server ended before it was up: {error}: {line:?}"));
        Server {
            binary: PathBuf::from(binary),
            child,
            public: ready.public[0],
            admin: ready.admin,
            members: ready.members,
            data_dir,
            _temporary: temporary,
            http: reqwest::Client::builder().timeout(ANSWER_MAX).build().unwrap(),
        }
    }

    /// Returns the data directory of the server.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Mints a token with `barrage token`, valid for ten minutes.
    pub async fn token(&self, user: &str, room: &str, role: &str) -> String {
        self.token_for(user, room, role, 600).await
    }

    /// Mints a token that is valid for `ttl_secs` seconds.
    pub async fn token_for(&self, user: &str, room: &str, role: &str, ttl_secs: u64) -> String {
        let output = Command::new(&self.binary)
            .args(["token", "--user", user, "--room", room, "--role", role])
            .args(["--ttl-secs", &ttl_secs.to_string(), "--data-dir"])
            .arg(&self.data_dir)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Posts JSON to the public listener. Panics when no answer comes.
    pub async fn post(&self, path: &str, token: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.try_post(path, token, body).await.expect("an answer from the server")
    }

    /// Posts JSON to the public listener; `None` when no server answers there.
    pub async fn try_post(&self, path: &str, token: &str, body: impl Into<reqwest::Body>) -> Option<Answer> {
        let request = self.http.post(format!("http://{}{path}", self.public)).bearer_auth(token).body(body);
        Some(Answer::read(request.send().await.ok()?).await)
    }

    /// Gets a path of the public listener.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::read(self.http.get(format!("http://{}{path}", self.public)).send().await.unwrap()).await
    }

    /// Sends a request with a JSON body to the public listener; `Null` for no body.
    pub async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        self.try_call(method, path, token, body).await.expect("an answer from the server")
    }

    /// Sends a request as [`Server::call`] does; `None` when no server answers there.
    pub async fn try_call(&self, method: &str, path: &str, token: &str, body: &Value) -> Option<Answer> {
        let request = self.http.request(method.parse().unwrap(), format!("http://{}{path}", self.public));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Some(Answer::read(request.bearer_auth(token).body(body).send().await.ok()?).await)
    }

    /// Sends a request as [`Server::call`] does, to the public address of a member of the fleet.
    pub async fn call_at(
        &self,
        public: SocketAddr,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Answer {
        let request = self.http.request(method.parse().unwrap(), format!("http://{public}{path}"));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Answer::read(request.bearer_auth(token).body(body).send().await.unwrap()).await
    }

    /// Calls the admin API below `/v1/admin` with a token. Panics when no answer comes.
    pub async fn admin(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        self.admin_of(self.admin, method, path, token, body).await
    }

    /// Calls the admin API of a member of the fleet, by its admin address.
    pub async fn admin_of(
        &self,
        admin: SocketAddr,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Answer {
        let method = method.parse().unwrap();
        let request = self.http.request(method, format!("http://{admin}/v1/admin{path}"));
        Answer::read(request.bearer_auth(token).body(body.to_string()).send().await.unwrap()).await
    }

    /// Returns all metrics of the admin listener, in Prometheus' text format.
    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.admin);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// Value of one metric, summed over its labels; 0 when the metric has no value yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let has_name = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
        };
        let text = self.metrics().await;
        let values = text.lines().filter(has_name).map(|line| line.rsplit(' ').next().unwrap());
        values.map(|value| value.parse::<f64>().unwrap()).sum()
    }

    /// Returns the id of the server's process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Returns the resident memory of the process, in bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Kills the process at once, as `kill -9` does.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Kills the process while other tasks hold a reference to this value, and waits until it has closed
    /// its files: a server that starts next on the same data would find them locked.
    pub async fn kill_by_id(&self) {
        assert!(crate::process::signal("KILL", [self.id().to_string()]), "the server is gone");
        crate::process::ended(self.id()).await;
    }

    /// Whether the process is still running, without waiting for it.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal by its name (`TERM`, `INT`) and returns the exit code.
    pub async fn stop(&mut self, signal: &str) -> Option<i32> {
        assert!(crate::process::signal(signal, [self.id().to_string()]), "the server is gone");
        self.ended().await
    }

    /// Waits for the end of the process and returns its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let ended = wait::within(ANSWER_MAX, "the end of the server", self.child.wait()).await;
        ended.unwrap().code()
    }
}
