//! The whole platform in one process, with a client that posts over HTTP.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use super::admin::{self, sleep};
use super::gateway::empty_folder;
use super::{Build, Callgrind, Core, Part, Process, ROOM, Readers};
use crate::run::command;

const PUBLIC: &str = "127.0.0.1:18486";
const ADMIN: &str = "127.0.0.1:18487";
/// Text before the time of a timed post.
const TIME_KEY: &str = "at=";
/// A recording of one message: its replay opens the room.
const RECORDING: &str = "<i><d p=\"0.1,1,25,16777215,1700000000,0,a1b2c3d4,1\">first</d></i>";
/// Limits above the load, so that only the processor limits the platform.
const LIMITS: [(&str, &str); 9] = [
    ("BARRAGE_UPLINK__LIMITS__USER_PER_S", "1000000"),
    ("BARRAGE_UPLINK__LIMITS__ADDRESS_PER_S", "1000000"),
    ("BARRAGE_UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "1000000"),
    ("BARRAGE_GATEWAY__SHARDS", "1"),
    ("BARRAGE_GATEWAY__VIEWERS_MAX", "19000"),
    ("BARRAGE_GATEWAY__USER_CONNECTIONS_MAX", "19000"),
    ("BARRAGE_GATEWAY__JOINS_PER_S", "1000000"),
    ("BARRAGE_GATEWAY__EGRESS_BYTES_PER_S", "100000000000"),
    ("BARRAGE_HTTP__CONNECTIONS_MAX", "19500"),
];
/// Bounds that a process whose instructions are counted does not reach, slow as it is.
const COUNTED: [(&str, &str); 2] =
    [("BARRAGE_GATEWAY__PING_MARGIN_MS", "600000"), ("BARRAGE_GATEWAY__OVERLOAD__RAISE_MS", "600000")];

/// Emotes of a furnished room.
const EMOTES: usize = 500;
/// Attributes of a furnished room.
const ATTRIBUTES: usize = 20;

/// A running `barrage up` without NATS.
pub(crate) struct Platform {
    pub(crate) process: Process,
    binary: String,
    folder: PathBuf,
    token: String,
    posts: u32,
    /// Connection of the client that posts.
    client: Option<BufReader<TcpStream>>,
}

impl Platform {
    /// Starts a binary in an empty folder, with more variables in its environment and its instructions
    /// counted.
    pub(crate) fn start(
        binary: &str,
        environment: &[(String, String)],
        callgrind: &Callgrind,
    ) -> anyhow::Result<Platform> {
        Platform::start_with(binary, |arguments| {
            let mut started = callgrind.command(binary, arguments);
            started.envs(COUNTED).envs(environment.iter().cloned());
            started
        })
    }

    /// Starts a binary in an empty folder on the measured core alone.
    pub(crate) fn start_on_a_core(binary: &str) -> anyhow::Result<Platform> {
        Platform::start_with(binary, |arguments| Core::Measured.command(binary, arguments))
    }

    fn start_with(binary: &str, make: impl FnOnce(&[&str]) -> Command) -> anyhow::Result<Platform> {
        let folder = empty_folder("platform")?;
        let data = folder.join("data").display().to_string();
        let recording = folder.join("one.xml").display().to_string();
        std::fs::write(&recording, RECORDING)?;
        let arguments = ["up", "--listen", PUBLIC, "--admin-listen", ADMIN, "--data-dir", &data];
        let arguments = [&arguments[..], &["--room", ROOM, "--replay", &recording]].concat();
        let mut started = make(&arguments);
        started.envs(LIMITS);
        let log = std::fs::File::create(folder.join("platform.log"))?;
        let process = Process(started.stdout(Stdio::null()).stderr(log).spawn()?);
        admin::wait_ready(ADMIN)?;
        let (binary, token) = (binary.to_owned(), String::new());
        let mut platform = Platform { process, binary, folder, token, posts: 0, client: None };
        platform.token = platform.mint("bench", "viewer", &[])?;
        Ok(platform)
    }

    /// Gives the room and the sender all that a post may meet: emotes, a pinned message and attributes of the
    /// room, and attributes of the sender. The texts of the posts have one of the emotes.
    pub(crate) fn furnish(&mut self) -> anyhow::Result<()> {
        let emote = |at: usize| {
            let name = if at == 0 { "Kappa".to_owned() } else { format!("emote{at}") };
            json!({ "id": at.to_string(), "name": name, "url": "/e/{px}.webp", "px": [28] })
        };
        let emotes: Vec<_> = (0..EMOTES).map(emote).collect();
        let file = self.folder.join("emotes.json").display().to_string();
        std::fs::write(&file, json!({ "emotes": emotes }).to_string())?;
        self.administer(&["emote", "import", ROOM, &file])?;
        let answer = self.post_one("Kappa")?;
        let sequence = serde_json::from_str::<serde_json::Value>(&answer)?["sequence"].clone();
        let pin = json!({ "type": "pin", "sequence": sequence }).to_string();
        self.administer(&["room", "act", ROOM, &pin])?;
        let host = self.mint("host", "host", &[])?;
        for at in 0..ATTRIBUTES {
            let body = json!({ "id": format!("a-{at}"), "text": "a text of some length" }).to_string();
            let answer = self.send("PUT", &format!("/v1/rooms/{ROOM}/attributes/a.{at}"), &host, &body)?;
            ensure!(answer.contains("version"), "the attribute {at} was not set: {answer}");
        }
        let attrs = json!({ "badges": ["member/12", "vip"], "level": 30, "color": 255 }).to_string();
        self.token = self.mint("bench", "viewer", &["--attrs", &attrs])?;
        Ok(())
    }

    fn mint(&self, user: &str, role: &str, more: &[&str]) -> anyhow::Result<String> {
        let arguments = ["token", "--user", user, "--room", ROOM, "--role", role, "--data-dir"];
        let output = command(&self.binary, &arguments).arg(self.folder.join("data")).args(more).output()?;
        ensure!(output.status.success(), "no token: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn administer(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let admin = format!("http://{ADMIN}");
        let mut called = command(&self.binary, arguments);
        called.args(["--admin", &admin, "--data-dir"]).arg(self.folder.join("data"));
        let output = called.output()?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Opens viewers' connections and waits until all have joined.
    pub(crate) fn viewers(&self, build: &Build, viewers: u32) -> anyhow::Result<Part> {
        Part::viewers(build, PUBLIC, viewers, &["--one-in", "1000000"])
    }

    /// Opens viewers' connections that measure the delays of timed posts.
    pub(crate) fn timed_viewers(&self, build: &Build, viewers: u32) -> anyhow::Result<Readers> {
        Readers::open(build, PUBLIC, viewers, 1, &["--time-key", TIME_KEY])
    }

    /// Posts chat that carries its time at a rate, until the part is dropped.
    pub(crate) fn timed_posts(&self, build: &Build, per_s: f64) -> anyhow::Result<Part> {
        let (url, per_s) = (format!("http://{PUBLIC}"), per_s.to_string());
        let (token, key) = (&self.token, TIME_KEY);
        Part::start_posting(
            build,
            &["posts", "--url", &url, "--token", token, "--room", ROOM, "--per-s", &per_s, "--time-key", key],
        )
    }

    /// Posts chat messages at a rate over one connection. Each must be broadcast.
    pub(crate) fn post(&mut self, posts: u32, per_s: f64) -> anyhow::Result<()> {
        let started = Instant::now();
        for n in 0..posts {
            sleep(Duration::from_secs_f64(f64::from(n) / per_s).saturating_sub(started.elapsed()));
            self.post_one(&words(self.posts))?;
        }
        Ok(())
    }

    /// Posts one chat message, which must be broadcast. Returns the answer.
    fn post_one(&mut self, text: &str) -> anyhow::Result<String> {
        self.posts += 1;
        let (token, id) = (self.token.clone(), self.posts);
        let body = format!("{{\"type\":\"chat\",\"id\":\"c-{id}\",\"text\":\"{text}\"}}");
        let answer = self.send("POST", &format!("/v1/rooms/{ROOM}/messages"), &token, &body)?;
        ensure!(answer.contains("\"broadcast\""), "post {id} was not broadcast: {answer}");
        Ok(answer)
    }

    /// Sends one request over the connection, and returns the body of the answer.
    fn send(&mut self, method: &str, path: &str, token: &str, body: &str) -> anyhow::Result<String> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(BufReader::new(TcpStream::connect(PUBLIC)?)),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {PUBLIC}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        client.get_mut().write_all(request.as_bytes())?;
        read_answer(client)
    }

    /// Returns a metric, summed over all series with `label` in their labels.
    pub(crate) fn metric(name: &str, label: &str) -> anyhow::Result<f64> {
        admin::metric(ADMIN, name, label)
    }
}

/// Returns a text of fixed length that differs from all others by letters: the rule against repeats
/// may ignore digits.
fn words(n: u32) -> String {
    let letter = |digit: u32| char::from(b'a' + (n / 26_u32.pow(digit) % 26) as u8);
    let word: String = (0..4).map(letter).collect();
    format!("a text about {word}, Kappa as chat is")
}

/// Reads one HTTP response and returns its body.
pub(crate) fn read_answer(answers: &mut impl BufRead) -> anyhow::Result<String> {
    let (mut status, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        ensure!(answers.read_line(&mut line)? > 0, "the server closed the connection after {status:?}");
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().with_context(|| format!("not a length: {value}"))?;
        }
        if status.is_empty() {
            status = line;
        }
    }
    let mut body = vec![0; length];
    answers.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}
