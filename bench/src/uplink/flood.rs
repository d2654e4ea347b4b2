//! Connections that post chat of 40 bytes over HTTP/1.1 with keep-alive, each by a user of its own: as fast as
//! answers come, or at an even pace.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use barrage_protocol::RoomId;
use barrage_token::{Claims, Keyring, Role, Rooms, TokenConfig};
use clap::Args;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::channel::quantile_ms;
use crate::fanout::on_line;

/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 8 * 1024;
/// Lifetime of a token in seconds.
const TOKEN_SECS: u64 = 86_400;

#[derive(Args)]
pub(crate) struct Flood {
    /// Address of the uplink, without TLS.
    #[arg(long)]
    address: SocketAddr,
    /// File with the secret that signs the tokens.
    #[arg(long)]
    key: PathBuf,
    /// Room to post to.
    #[arg(long)]
    room: RoomId,
    /// Connections, each with a user and a token of its own.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Posts a second of all connections together; without it, each connection posts when it is answered.
    #[arg(long)]
    per_s: Option<f64>,
}

/// Times of the answered posts, and the number of the others, since the last mark.
#[derive(Default)]
struct Sums {
    delays: Vec<Duration>,
    failed: u64,
    last_error: String,
}

impl Flood {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (marks_in, marks) = mpsc::channel(1);
        on_line(move || marks_in.blocking_send(()).unwrap_or_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.post(marks))
    }

    async fn post(self, mut marks: mpsc::Receiver<()>) -> anyhow::Result<()> {
        let secret = std::fs::read_to_string(&self.key)?;
        let keys = Keyring::from_secret(secret.trim().as_bytes(), &TokenConfig::default())?;
        let sums = Rc::new(RefCell::new(Sums::default()));
        let mut posters = Vec::new();
        for number in 0..self.connections {
            let token = keys.mint(claims(number, &self.room)?)?;
            let mut poster = Poster::connect(self.address, &self.room, &token, number).await?;
            // The room, the caches and the connection are warm before the first mark.
            poster.post().await.context("the first post of a connection failed")?;
            posters.push(poster);
        }
        println!("{}", json!({}));
        let period = self.per_s.map(|per_s| Duration::from_secs_f64(self.connections as f64 / per_s));
        for (number, poster) in posters.into_iter().enumerate() {
            let (sums, share) = (Rc::clone(&sums), number as f64 / self.connections as f64);
            tokio::task::spawn_local(async move {
                match period {
                    Some(period) => poster.paced(period, period.mul_f64(share), &sums).await,
                    None => poster.unpaced(&sums).await,
                }
            });
        }
        while marks.recv().await.is_some() {
            println!("{}", sums.take().line());
        }
        Ok(())
    }
}

fn claims(number: usize, room: &RoomId) -> anyhow::Result<Claims> {
    let exp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + TOKEN_SECS;
    Ok(Claims {
        sub: format!("poster-{number}").parse()?,
        name: Some(format!("Poster {number}")),
        rooms: Rooms(vec![room.to_string()]),
        role: Role::Viewer,
        exp,
        nbf: None,
        attrs: None,
        aud: String::new(),
    })
}

/// One connection with its user.
struct Poster {
    stream: TcpStream,
    /// Request line and header fields, up to the value of `Content-Length`.
    head: String,
    number: usize,
    /// Differs from run to run, so that no id is sent twice.
    run: u64,
    posts: u64,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Poster {
    async fn connect(
        address: SocketAddr,
        room: &RoomId,
        token: &str,
        number: usize,
    ) -> anyhow::Result<Poster> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST /v1/rooms/{room}/messages HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: "
        );
        let run = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
        Ok(Poster {
            stream,
            head,
            number,
            run,
            posts: 0,
            request: Vec::new(),
            answer: vec![0; ANSWER_BYTES_MAX],
        })
    }

    /// Posts one chat, and waits for its answer, which must be `broadcast`.
    async fn post(&mut self) -> anyhow::Result<()> {
        self.posts += 1;
        let word = word(self.run.wrapping_add(self.posts * 64 + self.number as u64));
        let body = format!(
            "{{\"type\":\"chat\",\"id\":\"{:x}-{}-{}\",\"text\":\"a text about {word}, as long as chat is\"}}",
            self.run, self.number, self.posts
        );
        self.request.clear();
        self.request.extend_from_slice(self.head.as_bytes());
        self.request.extend_from_slice(format!("{}\r\n\r\n{body}", body.len()).as_bytes());
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.answer[filled..]).await?;
            ensure!(read > 0, "the connection ended, or its answer is longer than {ANSWER_BYTES_MAX} bytes");
            filled += read;
            if let Some(body) = whole_body(&self.answer[..filled])? {
                let is_broadcast = contains(body, b"\"broadcast\"");
                ensure!(is_broadcast, "the answer was {}", String::from_utf8_lossy(&self.answer[..filled]));
                return Ok(());
            }
        }
    }

    async fn unpaced(mut self, sums: &RefCell<Sums>) {
        loop {
            let began = Instant::now();
            let result = self.post().await;
            if !sums.borrow_mut().add(began, result) {
                return;
            }
        }
    }

    /// Posts once in each period. The time of a post runs from the moment at which it was due, so that a late
    /// answer hides no delay of the next post.
    async fn paced(mut self, period: Duration, offset: Duration, sums: &RefCell<Sums>) {
        let mut due = Instant::now() + offset;
        loop {
            tokio::time::sleep_until(due).await;
            let result = self.post().await;
            if !sums.borrow_mut().add(due, result) {
                return;
            }
            due += period;
        }
    }
}

impl Sums {
    /// Adds a post that was due at a time. Returns whether its connection can go on.
    fn add(&mut self, due: Instant, result: anyhow::Result<()>) -> bool {
        match result {
            Ok(()) => self.delays.push(due.elapsed()),
            Err(error) => {
                self.failed += 1;
                self.last_error = error.to_string();
                return false;
            }
        }
        true
    }

    fn line(mut self) -> serde_json::Value {
        json!({ "posts": self.delays.len(), "failed": self.failed, "last_error": self.last_error,
            "p50_ms": quantile_ms(&mut self.delays, 0.5), "p99_ms": quantile_ms(&mut self.delays, 0.99) })
    }
}

/// Returns the body of an answer that has arrived whole.
fn whole_body(answer: &[u8]) -> anyhow::Result<Option<&[u8]>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.context("the answer has no Content-Length")?;
    Ok(answer[end + 4..].get(..length))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Returns a word of seven letters that differs from the words before it: the rule against repeats does not
/// see digits.
fn word(n: u64) -> String {
    let letter = |digit: u32| char::from(b'a' + (n / 26_u64.pow(digit) % 26) as u8);
    (0..7).map(letter).collect()
}
