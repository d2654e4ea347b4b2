//! A `barrage up` process on free ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How a server is started.
#[derive(Debug, Default, Clone)]
pub struct ServerOptions {
    /// More arguments for `up`.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Data directory to use again; a fresh temporary one when absent.
    pub data_dir: Option<PathBuf>,
    /// Where its log goes; to the test's own stderr when absent.
    pub log: Option<PathBuf>,
    /// Ports to use again, public and admin; free ones when absent.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    child: Child,
    /// Public address.
    pub public: SocketAddr,
    /// Admin address.
    pub admin: SocketAddr,
    data_dir: PathBuf,
    _temporary: Option<TempDir>,
    http: reqwest::Client,
}

/// Status and JSON body of an answer; `Null` when the body is not JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
    /// Value of the `Retry-After` header.
    pub retry_after: Option<u64>,
    /// The `RateLimit` header.
    pub ratelimit: Option<String>,
}

impl Answer {
    /// The refusal's code, or an empty text.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

/// Limits that are out of the way unless a test is about them.
const UNLIMITED: [&str; 4] = ["ADDRESS_PER_S", "USER_PER_S", "PLATFORM_PER_S", "ROOM_DISPLAY_CHAT_PER_S"];

/// Longest wait for a start or an answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl Server {
    /// Starts and waits until it is ready.
    pub async fn start(binary: &str, options: ServerOptions) -> Server {
        let temporary = options.data_dir.is_none().then(|| TempDir::new().unwrap());
        let data_dir = options.data_dir.unwrap_or_else(|| temporary.as_ref().unwrap().path().join("data"));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (public, admin) = options.addresses.unwrap_or((any, any));
        let mut child = Command::new(binary)
            .args(["up", "--listen", &public.to_string(), "--admin-listen", &admin.to_string(), "--data-dir"])
            .arg(&data_dir)
            .args(&options.arguments)
            .stdout(Stdio::piped())
            .stderr(
                options.log.map_or_else(Stdio::inherit, |path| std::fs::File::create(path).unwrap().into()),
            )
            .env("RUST_LOG", "warn")
            // Tests post faster than people; those of the limits set their own.
            .envs(UNLIMITED.map(|name| (format!("BARRAGE_UPLINK__LIMITS__{name}"), "1000000")))
            .env("BARRAGE_ENTRY__ADDRESS_PER_S", "1000000")
            .envs(options.environment)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let announced = async {
            let (mut public, mut admin) = (None, None);
            while public.is_none() || admin.is_none() {
                let line = lines.next_line().await.unwrap().expect("the server ended before it was up");
                let address = |word: &str| {
                    let rest = line.trim().strip_prefix(word)?.trim().strip_prefix("http://")?;
                    rest.split('/').next()?.parse::<SocketAddr>().ok()
                };
                public = public.or_else(|| address("page"));
                admin = admin.or_else(|| address("admin"));
            }
            (public.unwrap(), admin.unwrap())
        };
        let (public, admin) =
            tokio::time::timeout(PATIENCE, announced).await.expect("the server did not start");
        // Whatever else it says must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let binary = PathBuf::from(binary);
        let server = Server { binary, child, public, admin, data_dir, _temporary: temporary, http };
        server.wait_ready().await;
        server
    }

    async fn wait_ready(&self) {
        let ready = async {
            loop {
                let answer = self.http.get(format!("http://{}/readyz", self.admin)).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("the server is not ready");
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Mints a token with `barrage token`.
    pub async fn token(&self, user: &str, room: &str, role: &str) -> String {
        self.token_for(user, room, role, 600).await
    }

    /// Mints a token that is good for so many seconds.
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

    /// Posts JSON to the public listener.
    pub async fn post(&self, path: &str, token: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.http.post(format!("http://{}{path}", self.public)).bearer_auth(token).body(body);
        answer(request.send().await.unwrap()).await
    }

    /// The same, when the server may not be there.
    pub async fn try_post(&self, path: &str, token: &str, body: impl Into<reqwest::Body>) -> Option<Answer> {
        let request = self.http.post(format!("http://{}{path}", self.public)).bearer_auth(token).body(body);
        Some(answer(request.send().await.ok()?).await)
    }

    /// Gets from the public listener.
    pub async fn get(&self, path: &str) -> Answer {
        answer(self.http.get(format!("http://{}{path}", self.public)).send().await.unwrap()).await
    }

    /// Calls the admin API.
    pub async fn admin(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let method = method.parse().unwrap();
        let url = format!("http://{}/v1/admin{path}", self.admin);
        answer(self.http.request(method, url).bearer_auth(token).body(body.to_string()).send().await.unwrap())
            .await
    }

    /// One metric's value, summed over its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let url = format!("http://{}/metrics", self.admin);
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let of_name = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
        };
        text.lines()
            .filter(of_name)
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Resident memory in bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// `kill -9`, while others still use it.
    pub async fn kill_by_id(&self) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-KILL", &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal by name and waits for the end; the exit code.
    pub async fn stop(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().await.unwrap();
        assert!(sent.success());
        self.ended().await
    }

    /// Waits for the end of the process; the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it does not stop");
        ended.unwrap().code()
    }
}

async fn answer(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|value| value.parse().ok());
    let ratelimit =
        response.headers().get("ratelimit").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let text = response.text().await.unwrap_or_default();
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), retry_after, ratelimit }
}
