//! A reverse proxy that reads HTTP, and changes, cuts or answers what passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Events of a stream after which [`Meddling::Events`] cuts it.
const EVENTS_MAX: usize = 12;
const PORTAL: &str = "<!doctype html><title>Sign in</title><h1>Welcome to this network</h1>";

/// What a [`Meddler`] does to requests and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meddling {
    /// Forwards every request and every byte.
    Pass,
    /// Cuts a connection on which no byte has passed for this time.
    IdleCut(Duration),
    /// Removes the headers `Authorization`, `Upgrade` and all of WebSockets, and adds some of its own.
    Headers,
    /// Answers a handshake 403 with a page.
    RefuseUpgrade,
    /// Answers a handshake 200 with a page, instead of the server's 101.
    UpgradeAs200,
    /// Answers everything 200 with a page.
    CaptivePortal,
    /// Refuses handshakes, and repeats, swaps and cuts the events of streams.
    Events,
    /// Answers every request 500 without a look at its body.
    Errors,
    /// Answers every second request 500, beginning with the first, and forwards the others.
    EverySecond,
}

/// A reverse proxy on loopback, one request a connection. Ends with the runtime of the test.
#[derive(Debug, Clone)]
pub struct Meddler {
    /// Address that clients connect to.
    pub address: SocketAddr,
    meddling: Arc<parking_lot::RwLock<Meddling>>,
    server: Arc<parking_lot::RwLock<Option<SocketAddr>>>,
    cut: Arc<tokio::sync::Notify>,
    requests: Arc<AtomicU64>,
}

impl Meddler {
    /// Starts a proxy whose server is named later.
    pub async fn start(meddling: Meddling) -> Meddler {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let meddler = Meddler {
            address: listener.local_addr().unwrap(),
            meddling: Arc::new(parking_lot::RwLock::new(meddling)),
            server: Arc::default(),
            cut: Arc::default(),
            requests: Arc::default(),
        };
        let accepting = meddler.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let serving = accepting.clone();
                tokio::spawn(async move {
                    let cut = Arc::clone(&serving.cut);
                    tokio::select! {
                        () = cut.notified() => {}
                        served = serving.serve(client) => drop(served),
                    }
                });
            }
        });
        meddler
    }

    /// Names the server of new connections.
    pub fn connect_to(&self, server: SocketAddr) {
        *self.server.write() = Some(server);
    }

    /// Changes what happens to new connections.
    pub fn set(&self, meddling: Meddling) {
        *self.meddling.write() = meddling;
    }

    /// Changes what happens to new connections, and cuts the open ones.
    pub fn set_and_cut(&self, meddling: Meddling) {
        self.set(meddling);
        self.cut.notify_waiters();
    }

    /// URL of the proxy, which takes the place of the server's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn serve(self, mut client: TcpStream) -> std::io::Result<()> {
        let meddling = *self.meddling.read();
        let (head, rest) = read_head(&mut client).await?;
        let is_handshake = has_header(&head, "upgrade");
        let is_stream = head.lines().next().is_some_and(|line| line.contains("/sse"));
        let is_second = self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let page = match meddling {
            Meddling::Errors => Some("500 Internal Server Error"),
            Meddling::EverySecond if is_second => Some("500 Internal Server Error"),
            Meddling::CaptivePortal => Some("200 OK"),
            Meddling::UpgradeAs200 if is_handshake => Some("200 OK"),
            Meddling::RefuseUpgrade | Meddling::Events if is_handshake => Some("403 Forbidden"),
            _ => None,
        };
        if let Some(status) = page {
            let length = PORTAL.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}");
            client.write_all(format!("{head}\r\nConnection: close\r\n\r\n{PORTAL}").as_bytes()).await?;
            client.shutdown().await?;
            // A body that is not read would reset the connection, and the answer be lost.
            return tokio::io::copy(&mut client, &mut tokio::io::sink()).await.map(drop);
        }
        let Some(server) = *self.server.read() else { return Ok(()) };
        let mut server = TcpStream::connect(server).await?;
        server.write_all(rewrite(&head, meddling, is_handshake).as_bytes()).await?;
        server.write_all(&rest).await?;
        let idle = match meddling {
            Meddling::IdleCut(after) => after,
            _ => Duration::from_secs(3_600),
        };
        if meddling == Meddling::Events && is_stream {
            return events(client, server).await;
        }
        relay(client, server, idle).await
    }
}

/// Reads up to the end of the head. Returns the head, and the bytes behind it.
async fn read_head(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let mut buffer = [0; 4096];
        let read = client.read(&mut buffer).await?;
        if read == 0 || bytes.len() > HEAD_BYTES_MAX {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

fn has_header(head: &str, name: &str) -> bool {
    head.lines().any(|line| name_of(line) == name)
}

fn name_of(line: &str) -> String {
    line.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

/// Writes the head for the server: one request a connection, and what the proxy changes.
fn rewrite(head: &str, meddling: Meddling, is_handshake: bool) -> String {
    let mut lines = head.trim_end().split("\r\n");
    let mut request = lines.next().unwrap_or_default().to_owned();
    if meddling == Meddling::Events {
        // Without chunks, so that the body is the text of the events.
        request = request.replace("HTTP/1.1", "HTTP/1.0");
    }
    let is_stripped = |name: &str| {
        ["authorization", "upgrade", "connection"].contains(&name) || name.starts_with("sec-websocket")
    };
    let keeps_connection = is_handshake && meddling != Meddling::Headers;
    let mut out = vec![request];
    for line in lines {
        let name = name_of(line);
        match meddling {
            Meddling::Headers if is_stripped(&name) => {}
            Meddling::Headers => out.push(line.replacen(&name, &name.to_uppercase(), 1)),
            _ if name == "connection" && !keeps_connection => {}
            _ => out.push(line.to_owned()),
        }
    }
    if meddling == Meddling::Headers {
        out.extend(["Via: 1.1 meddler".to_owned(), "X-Forwarded-For: unknown, 192.0.2.1".to_owned()]);
    }
    if !keeps_connection {
        out.push("Connection: close".to_owned());
    }
    out.join("\r\n") + "\r\n\r\n"
}

/// Copies bytes in both directions until one side ends, or neither has sent anything for `idle`.
async fn relay(mut client: TcpStream, mut server: TcpStream, idle: Duration) -> std::io::Result<()> {
    let (mut from_client, mut from_server) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => match read? {
                0 => return Ok(()),
                read => server.write_all(&from_client[..read]).await?,
            },
            read = server.read(&mut from_server) => match read? {
                0 => return client.shutdown().await,
                read => client.write_all(&from_server[..read]).await?,
            },
            () = tokio::time::sleep(idle) => return Ok(()),
        }
    }
}

/// Copies an event stream: repeats every event, swaps every third one with the next, and cuts the
/// stream in the middle of an event.
async fn events(mut client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    let (mut count, mut held): (usize, Option<Vec<u8>>) = (0, None);
    let mut is_head = true;
    loop {
        let read = server.read(&mut buffer).await?;
        if read == 0 {
            return client.shutdown().await;
        }
        bytes.extend_from_slice(&buffer[..read]);
        loop {
            let end: &[u8] = if is_head { b"\r\n\r\n" } else { b"\n\n" };
            let Some(at) = bytes.windows(end.len()).position(|window| window == end) else { break };
            let event: Vec<u8> = bytes.drain(..at + end.len()).collect();
            if std::mem::take(&mut is_head) {
                client.write_all(&event).await?;
                continue;
            }
            count += 1;
            if count == EVENTS_MAX {
                client.write_all(&event[..event.len() / 2]).await?;
                return client.shutdown().await;
            }
            // The hello is the first event; a swap needs another one after it.
            if count > 1 && count % 3 == 0 && held.is_none() {
                held = Some(event);
                continue;
            }
            client.write_all(&event).await?;
            if count > 1 {
                client.write_all(&event).await?;
            }
            if let Some(held) = held.take() {
                client.write_all(&held).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_changed_as_the_meddling_says() {
        let head = "GET /v1/rooms/a/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Authorization: Bearer t\r\nSec-WebSocket-Key: k\r\n\r\n";
        assert!(has_header(head, "upgrade"));
        assert_eq!(rewrite(head, Meddling::Pass, true), head);
        let stripped = rewrite(head, Meddling::Headers, true).to_lowercase();
        assert!(["upgrade", "bearer", "sec-websocket"].iter().all(|name| !stripped.contains(name)));
        assert!(stripped.ends_with("connection: close\r\n\r\n"));
        let older = rewrite("GET /v1/rooms/a/sse HTTP/1.1\r\nHost: a\r\n\r\n", Meddling::Events, false);
        assert_eq!(older, "GET /v1/rooms/a/sse HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
}
