//! Uploads by tus, uploads that rest or trickle, and downloads by ranges.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use barrage_token::{Keyring, TokenConfig};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::letters::claims;

const MIB: usize = 1 << 20;
/// Bytes of one write of an upload.
const PIECE_BYTES: usize = 256 * 1024;
/// Bytes of one write of an upload that trickles.
const TRICKLE_BYTES: usize = 16 * 1024;
/// Length of an upload that trickles: more than a run sends, and small enough for the room of hundreds.
const TRICKLE_MIB: usize = 32;
/// Bytes that a resting upload has sent: more than the server gathers before it writes.
const RESTING_BYTES: usize = 100 * 1024;
/// Longest wait for the check of an upload.
const CHECK_MAX: Duration = Duration::from_secs(120);
const PATCH_TYPE: &str = "Content-Type: application/offset+octet-stream";

#[derive(Args)]
pub(crate) struct Media {
    /// Address of the role media.
    #[arg(long)]
    address: SocketAddr,
    /// File with the secret that signs the tokens.
    #[arg(long)]
    key: PathBuf,
    /// Uploads or downloads at the same time.
    #[arg(long, default_value_t = 4)]
    at_once: usize,
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// Uploads files; without `--whole` all but their last byte, so that no check follows.
    Upload {
        /// MiB of each file.
        #[arg(long, default_value_t = 64)]
        mib: usize,
        /// Sends the last byte as well, and waits for the checks.
        #[arg(long)]
        whole: bool,
        /// First byte of the first file: another one makes another digest.
        #[arg(long, default_value_t = 0)]
        first: u8,
    },
    /// Begins uploads that each send at a pace, prints an empty object, and goes on until its input ends. Prints
    /// the megabytes that were sent then.
    Trickle {
        /// Bytes of each upload a second.
        #[arg(long, default_value_t = 250_000)]
        bytes_per_s: u32,
    },
    /// Begins uploads that send no more, prints an empty object, and holds them until its input ends.
    Rest,
    /// Uploads one file, and reads ranges of one MiB of it.
    Download {
        /// Time of reading in seconds.
        #[arg(long, default_value_t = 5.0)]
        secs: f64,
    },
    /// Uploads a picture, again and again with another digest, and waits for each check.
    Picture {
        /// File of the picture.
        #[arg(long)]
        file: PathBuf,
        /// Number of uploads, one after the other.
        #[arg(long, default_value_t = 8)]
        times: u32,
    },
}

impl Media {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(self.measure())
    }

    async fn measure(self) -> anyhow::Result<()> {
        let secret = std::fs::read_to_string(&self.key)?;
        let keys = Keyring::from_secret(secret.trim().as_bytes(), &TokenConfig::default())?;
        let user = Arc::new(User { address: self.address, token: keys.mint(claims("bench")?)? });
        match self.load {
            Load::Upload { mib, whole, first } => {
                upload(&user, self.at_once, mib, whole.then_some(first)).await
            }
            Load::Trickle { bytes_per_s } => trickle(&user, self.at_once, bytes_per_s).await,
            Load::Rest => rest(&user, self.at_once).await,
            Load::Download { secs } => download(&user, self.at_once, secs).await,
            Load::Picture { file, times } => pictures(&user, &std::fs::read(file)?, times).await,
        }
    }
}

/// Who uploads, and where.
struct User {
    address: SocketAddr,
    token: String,
}

/// A kept connection of the user.
struct Connection {
    stream: BufReader<TcpStream>,
    /// Value of the field `Host`, which the server must know.
    host: String,
    token: String,
}

/// Head of an answer.
struct Head {
    status: u16,
    length: usize,
    location: Option<String>,
}

impl User {
    async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = BufReader::with_capacity(PIECE_BYTES, stream);
        Ok(Connection { stream, host: self.address.to_string(), token: self.token.clone() })
    }
}

impl Connection {
    /// Sends the head of a request, whose body has this length.
    async fn begin(&mut self, request: &str, fields: &[&str], body_bytes: usize) -> anyhow::Result<()> {
        let (host, token) = (&self.host, &self.token);
        let mut head = format!("{request} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n");
        head += "Tus-Resumable: 1.0.0\r\n";
        fields.iter().for_each(|field| head += &format!("{field}\r\n"));
        head += &format!("Content-Length: {body_bytes}\r\n\r\n");
        Ok(self.stream.write_all(head.as_bytes()).await?)
    }

    /// Reads the head of an answer.
    async fn head(&mut self) -> anyhow::Result<Head> {
        let (mut line, mut head) = (String::new(), Head { status: 0, length: 0, location: None });
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line).await? > 0, "the server closed the connection");
            let text = line.trim_end();
            if text.is_empty() {
                return Ok(head);
            }
            if head.status == 0 {
                head.status = text.get(9..12).context("no status")?.parse()?;
            }
            let (name, value) = text.split_once(": ").unwrap_or((text, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = value.parse()?,
                "location" => head.location = Some(value.to_owned()),
                _ => {}
            }
        }
    }

    /// Reads a body, and drops its bytes.
    async fn skip(&mut self, length: usize) -> anyhow::Result<()> {
        let body = (&mut self.stream).take(length as u64);
        let copied = tokio::io::copy_buf(&mut BufReader::new(body), &mut tokio::io::sink()).await?;
        ensure!(copied == length as u64, "the body ended early");
        Ok(())
    }

    async fn expect(&mut self, status: u16) -> anyhow::Result<Head> {
        let head = self.head().await?;
        let mut body = vec![0; head.length];
        self.stream.read_exact(&mut body).await?;
        if head.status != status {
            bail!("answered {} instead of {status}: {}", head.status, String::from_utf8_lossy(&body));
        }
        Ok(head)
    }

    async fn create(&mut self, length: usize) -> anyhow::Result<String> {
        self.begin("POST /v1/uploads", &[&format!("Upload-Length: {length}")], 0).await?;
        self.expect(201).await?.location.context("an upload without a place")
    }

    /// Begins to add bytes at an offset.
    async fn append(&mut self, upload: &str, offset: usize, length: usize) -> anyhow::Result<()> {
        let offset = format!("Upload-Offset: {offset}");
        self.begin(&format!("PATCH {upload}"), &[&offset, PATCH_TYPE], length).await
    }

    /// Uploads bytes whole, and returns the view after the check.
    async fn finish(&mut self, bytes: &[u8]) -> anyhow::Result<Value> {
        let upload = self.create(bytes.len()).await?;
        self.append(&upload, 0, bytes.len()).await?;
        self.stream.write_all(bytes).await?;
        self.expect(204).await?;
        self.checked(&upload).await
    }

    async fn checked(&mut self, upload: &str) -> anyhow::Result<Value> {
        let began = Instant::now();
        loop {
            self.begin(&format!("GET {upload}"), &[], 0).await?;
            let head = self.head().await?;
            let mut body = vec![0; head.length];
            self.stream.read_exact(&mut body).await?;
            let view: Value = serde_json::from_slice(&body)?;
            match view["state"].as_str() {
                Some("ready") => return Ok(view),
                Some("checking") if began.elapsed() < CHECK_MAX => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                _ => bail!("the upload is not ready: {view}"),
            }
        }
    }
}

/// Uploads files. `whole` is the first byte of the first of files that are sent to their end.
async fn upload(user: &Arc<User>, at_once: usize, mib: usize, whole: Option<u8>) -> anyhow::Result<()> {
    let (began, mut uploads) = (Instant::now(), JoinSet::new());
    for n in 0..at_once {
        let user = Arc::clone(user);
        uploads.spawn(async move {
            let mut connection = user.connect().await?;
            // Another first byte, so that each file has a digest of its own.
            let first = whole.unwrap_or_default().wrapping_add(u8::try_from(n % 256)?);
            let mut piece = vec![first; PIECE_BYTES];
            let upload = connection.create(mib * MIB + 1).await?;
            connection.append(&upload, 0, mib * MIB + usize::from(whole.is_some())).await?;
            for sent in 0..mib * MIB / PIECE_BYTES {
                piece[1..9].copy_from_slice(&(sent as u64).to_be_bytes());
                connection.stream.write_all(&piece).await?;
            }
            if whole.is_some() {
                connection.stream.write_all(&[0]).await?;
            }
            connection.expect(204).await?;
            if whole.is_some() {
                connection.checked(&upload).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = uploads.join_next().await {
        ended??;
    }
    let secs = began.elapsed().as_secs_f64();
    println!("{}", json!({ "mb": (at_once * mib * MIB) as f64 / 1e6, "secs": secs }));
    Ok(())
}

/// Lets uploads send at a pace, until standard input ends. An upload that ends early ends the part.
async fn trickle(user: &Arc<User>, at_once: usize, bytes_per_s: u32) -> anyhow::Result<()> {
    let pace = Duration::from_secs_f64(TRICKLE_BYTES as f64 / f64::from(bytes_per_s.max(1)));
    let (sent, mut uploads) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
    for n in 0..at_once {
        let mut connection = user.connect().await?;
        let upload = connection.create(TRICKLE_MIB * MIB).await?;
        connection.append(&upload, 0, TRICKLE_MIB * MIB).await?;
        let sent = Arc::clone(&sent);
        // Spread over the pace, as people are.
        let first = Instant::now() + pace.mul_f64(n as f64 / at_once as f64);
        uploads.spawn(async move {
            let (piece, mut ticks) = (vec![7; TRICKLE_BYTES], tokio::time::interval_at(first, pace));
            for _ in 0..TRICKLE_MIB * MIB / TRICKLE_BYTES {
                ticks.tick().await;
                connection.stream.write_all(&piece).await?;
                sent.fetch_add(TRICKLE_BYTES as u64, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    println!("{}", json!({}));
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    tokio::select! {
        ended = end => drop(ended??),
        Some(ended) = uploads.join_next() => {
            ended??;
            bail!("an upload of {TRICKLE_MIB} MiB ended before the run");
        }
    }
    println!("{}", json!({ "mb": sent.load(Ordering::Relaxed) as f64 / 1e6 }));
    Ok(())
}

async fn rest(user: &Arc<User>, at_once: usize) -> anyhow::Result<()> {
    let mut connections = Vec::new();
    for _ in 0..at_once {
        let mut connection = user.connect().await?;
        let upload = connection.create(MIB).await?;
        connection.append(&upload, 0, MIB).await?;
        connection.stream.write_all(&vec![7; RESTING_BYTES]).await?;
        connections.push(connection);
    }
    // The last bytes are on their way to the server's disk.
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("{}", json!({}));
    tokio::task::block_in_place(|| std::io::stdin().read_line(&mut String::new()))?;
    Ok(())
}

async fn download(user: &Arc<User>, at_once: usize, secs: f64) -> anyhow::Result<()> {
    let view = user.connect().await?.finish(&vec![9; 32 * MIB]).await?;
    let address = view["media"]["variants"][0]["url"].as_str().context("no address")?.to_owned();
    println!("{}", json!({}));
    let (until, mut readers) = (Instant::now() + Duration::from_secs_f64(secs), JoinSet::new());
    let began = Instant::now();
    for n in 0..at_once {
        let (user, address) = (Arc::clone(user), address.clone());
        readers.spawn(async move {
            let (mut connection, mut times_ms) = (user.connect().await?, Vec::new());
            for at in n.. {
                let asked = Instant::now();
                if asked > until {
                    break;
                }
                let start = at % 32 * MIB;
                let range = format!("Range: bytes={start}-{}", start + MIB - 1);
                connection.begin(&format!("GET {address}"), &[&range], 0).await?;
                let head = connection.head().await?;
                ensure!(head.status == 206 && head.length == MIB, "answered {}", head.status);
                times_ms.push(asked.elapsed());
                connection.skip(MIB).await?;
            }
            anyhow::Ok(times_ms)
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = readers.join_next().await {
        times.extend(ended??);
    }
    let mb = (times.len() * MIB) as f64 / 1e6;
    let p99_ms = crate::channel::quantile_ms(&mut times, 0.99);
    println!("{}", json!({ "mb": mb, "secs": began.elapsed().as_secs_f64(), "head_p99_ms": p99_ms }));
    Ok(())
}

async fn pictures(user: &Arc<User>, picture: &[u8], times: u32) -> anyhow::Result<()> {
    let (mut connection, began) = (user.connect().await?, Instant::now());
    for n in 0..times {
        // What follows the end of a picture changes its digest alone.
        let view = connection.finish(&[picture, &n.to_be_bytes()].concat()).await?;
        ensure!(view["media"]["kind"] == "image", "no picture: {view}");
    }
    println!("{}", json!({ "pictures": times, "secs": began.elapsed().as_secs_f64() }));
    Ok(())
}
