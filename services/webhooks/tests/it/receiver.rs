//! A receiver that answers as its script says, and remembers what it got.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use barrage_clock::now;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// How a receiver answers one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status with headers, and an empty body.
    Status(u16, &'static str),
    /// A redirect to this URL.
    Redirect(String),
    /// No answer, for ever.
    Hang,
    /// A status and a body of 1 GB.
    Endless(u16),
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    pub(crate) at: std::time::Instant,
}

impl Request {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

type Script = Arc<dyn Fn(usize) -> Reply + Send + Sync>;

/// An HTTP server on a free port, which ends with its value.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Bytes of bodies that were written.
    written: Arc<Mutex<u64>>,
    accepting: AbortHandle,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Receiver {
    /// Starts a receiver that answers the n-th request, from 0, by `script`.
    pub(crate) async fn start(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, written) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<Mutex<u64>>::default());
        let script: Script = Arc::new(script);
        let shared = (Arc::clone(&requests), Arc::clone(&written));
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(
                    stream,
                    Arc::clone(&script),
                    Arc::clone(&shared.0),
                    Arc::clone(&shared.1),
                ));
            }
        });
        Receiver { address, requests, written, accepting: accepting.abort_handle() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.id().to_owned()).collect()
    }

    pub(crate) fn written(&self) -> u64 {
        *self.written.lock()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Script,
    requests: Arc<Mutex<Vec<Request>>>,
    written: Arc<Mutex<u64>>,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let request = read(&mut stream, &mut buffer).await?;
        let number = {
            let mut requests = requests.lock();
            requests.push(request);
            requests.len() - 1
        };
        match script(number) {
            Reply::Status(status, headers) => {
                let answer = format!("HTTP/1.1 {status} X\r\n{headers}content-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            Reply::Redirect(url) => {
                let answer = format!("HTTP/1.1 302 X\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            Reply::Hang => std::future::pending().await,
            Reply::Endless(status) => {
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", 1 << 30);
                stream.write_all(answer.as_bytes()).await.ok()?;
                for _ in 0..16_384 {
                    stream.write_all(&[b'x'; 65_536]).await.ok()?;
                    *written.lock() += 65_536;
                }
            }
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, buffer).await?;
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).unwrap();
    let headers: HashMap<_, _> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let end = head_end + headers["content-length"].parse::<usize>().unwrap();
    while buffer.len() < end {
        more(stream, buffer).await?;
    }
    let body = String::from_utf8(buffer[head_end..end].to_vec()).unwrap();
    buffer.drain(..end);
    Some(Request { headers, body, at: now() })
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut bytes = vec![0; 65_536];
    let read = stream.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&bytes[..read]);
    Some(())
}
