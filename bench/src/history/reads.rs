//! Readers that ask one after the other on kept connections, each when it has its answer.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

#[derive(Args)]
pub(crate) struct PageReads {
    /// Address of the server.
    #[arg(long)]
    address: SocketAddr,
    /// Path with its query. `{n}` becomes a number that differs between readers.
    #[arg(long)]
    path: String,
    /// Token of all readers; without one they are anonymous.
    #[arg(long)]
    token: Option<String>,
    /// Connections with one reader each.
    #[arg(long, default_value_t = 64)]
    readers: usize,
    /// Seconds of reading; 0 for one read by one reader.
    #[arg(long)]
    secs: f64,
    /// File that gets the body of the first answer.
    #[arg(long)]
    save: Option<PathBuf>,
}

/// What all readers have read.
#[derive(Default)]
struct Sums {
    reads: Cell<u64>,
    bytes: Cell<u64>,
    delays: RefCell<Vec<Duration>>,
    first: RefCell<Option<Vec<u8>>>,
}

impl PageReads {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sums, began) = (Rc::new(Sums::default()), Instant::now());
        let until = began + Duration::from_secs_f64(self.secs);
        let readers = if self.secs == 0.0 { 1 } else { self.readers };
        LocalSet::new().block_on(&runtime, async {
            let mut all = tokio::task::JoinSet::new();
            for n in 0..readers {
                let (request, sums) = (self.request(n), Rc::clone(&sums));
                all.spawn_local(async move { read(self.address, &request, until, &sums).await });
            }
            while let Some(reader) = all.join_next().await {
                reader??;
            }
            anyhow::Ok(())
        })?;
        if let (Some(path), Some(body)) = (&self.save, &*sums.first.borrow()) {
            std::fs::write(path, body)?;
        }
        let secs = began.elapsed().as_secs_f64();
        let p99_ms = crate::channel::quantile_ms(&mut sums.delays.borrow_mut(), 0.99);
        println!(
            "{}",
            json!({ "reads": sums.reads.get(), "bytes": sums.bytes.get(), "secs": secs, "p99_ms": p99_ms })
        );
        Ok(())
    }

    fn request(&self, n: usize) -> Vec<u8> {
        let path = self.path.replace("{n}", &n.to_string());
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n{token}\r\n", self.address).into_bytes()
    }
}

/// Reads one page after the other until the time is over; at least one.
async fn read(address: SocketAddr, request: &[u8], until: Instant, sums: &Sums) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 256 * 1_024];
    loop {
        let began = Instant::now();
        stream.write_all(request).await?;
        let (mut filled, mut whole) = (0, None);
        while whole.is_none_or(|(_, end)| filled < end) {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                bail!("the server closed the connection, or a page is larger than 256 KiB");
            }
            filled += read;
            whole = whole.map_or_else(|| head(&buffer[..filled]), |known| Ok(Some(known)))?;
        }
        let (body, end) = whole.context("no answer")?;
        sums.first.borrow_mut().get_or_insert_with(|| buffer[body..end].to_vec());
        sums.reads.set(sums.reads.get() + 1);
        sums.bytes.set(sums.bytes.get() + end as u64);
        sums.delays.borrow_mut().push(began.elapsed());
        if Instant::now() >= until {
            return Ok(());
        }
    }
}

/// Returns where the body of an answer begins and ends; `None` before the whole head has come.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end])?;
    if !text.starts_with("HTTP/1.1 200 ") {
        bail!("the server answered {}", text.lines().next().unwrap_or_default());
    }
    let is_length = |line: &&str| line.to_ascii_lowercase().starts_with("content-length:");
    let length = text.lines().find(is_length).context("an answer without a length")?;
    let length: usize = length.split(':').nth(1).context("a header without a value")?.trim().parse()?;
    Ok(Some((end + 4, end + 4 + length)))
}
