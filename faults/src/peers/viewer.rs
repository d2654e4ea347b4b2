//! A viewer of nchan: Server-Sent Events that go on behind the last id after a break.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::crowd::{Load, Records, number_in};
use crate::oracle::{Seen, Shown};

/// Wait after the end of a connection. A browser's `EventSource` waits for three seconds.
const RECONNECT: Duration = Duration::from_secs(1);
/// Largest number of bytes of one read.
const READ_MAX: usize = 4_096;
/// Silence after which a reader of old messages has all.
const KEPT_SILENCE: Duration = Duration::from_secs(2);
/// Receive buffer of a slow viewer in bytes; the kernel doubles it.
const SLOW_BUFFER: u32 = 4_096;

/// Reading rate of a viewer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As fast as messages come.
    Fast,
    /// So many bytes a second, with a small receive buffer.
    BytesPerS(u32),
}

/// Watches a channel until the end of the run. Each connection goes to the next of the servers.
pub(super) async fn watch(
    records: Arc<Records>,
    servers: Vec<SocketAddr>,
    number: usize,
    pace: Pace,
) -> Seen {
    let (rooms, room) = (records.load.rooms, number % records.load.rooms);
    let (gifts, chats) = (Shown::new(records.load.gifts(), rooms), Shown::new(records.load.chats(), rooms));
    let seen = Seen { room, gifts, chats, ..Seen::default() };
    let mut viewer = Viewer { records: Arc::clone(&records), seen, pace, last_id: None, last_ms: None };
    for attempt in number / rooms.. {
        let server = servers[attempt % servers.len()];
        let connection = async {
            // Whatever ends a connection, the next one follows.
            drop(viewer.connection(server).await);
            tokio::time::sleep(RECONNECT).await;
        };
        tokio::select! {
            () = connection => {}
            () = records.ended() => break,
        }
    }
    viewer.seen
}

/// Reads what a server still has of a channel. Returns the bodies.
pub(super) async fn kept(server: SocketAddr, room: usize) -> std::io::Result<Vec<String>> {
    let mut stream = TcpSocket::new_v4()?.connect(server).await?;
    let head = format!(
        "GET /kept/{} HTTP/1.0\r\nHost: {server}\r\nAccept: text/event-stream\r\n\r\n",
        Load::room(room)
    );
    stream.write_all(head.as_bytes()).await?;
    let (mut text, mut buffer) = (Vec::new(), vec![0; READ_MAX]);
    // The stream stays open behind the last message.
    while let Ok(read) = tokio::time::timeout(KEPT_SILENCE, stream.read(&mut buffer)).await {
        match read? {
            0 => break,
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect())
}

struct Viewer {
    records: Arc<Records>,
    seen: Seen,
    pace: Pace,
    /// Id of the last message that was shown.
    last_id: Option<String>,
    last_ms: Option<u32>,
}

impl Viewer {
    /// Opens a connection and shows its messages until it ends.
    async fn connection(&mut self, server: SocketAddr) -> std::io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        if let Pace::BytesPerS(_) = self.pace {
            socket.set_recv_buffer_size(SLOW_BUFFER)?;
        }
        let mut stream = socket.connect(server).await?;
        let last = self.last_id.as_ref().map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        // HTTP/1.0 has no chunks: each line of the stream arrives as it is.
        let head = format!(
            "GET /sub/{} HTTP/1.0\r\nHost: {server}\r\nAccept: text/event-stream\r\n{last}\r\n",
            Load::room(self.seen.room)
        );
        stream.write_all(head.as_bytes()).await?;
        let (mut buffer, mut rest, mut id) = (vec![0; READ_MAX], Vec::new(), None);
        let mut is_joined = false;
        loop {
            let count = stream.read(&mut buffer).await?;
            rest.extend_from_slice(&buffer[..count]);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                self.line(line.trim_end(), &mut id, &mut is_joined);
            }
            if count == 0 {
                if is_joined {
                    self.seen.breaks_ms.push(self.records.now_ms());
                }
                return Ok(());
            }
            if let Pace::BytesPerS(rate) = self.pace {
                tokio::time::sleep(Duration::from_secs_f64(count as f64 / f64::from(rate))).await;
            }
        }
    }

    fn line(&mut self, line: &str, id: &mut Option<String>, is_joined: &mut bool) {
        let now_ms = self.records.now_ms();
        if line == ": hi" {
            if self.seen.hellos_ms.is_empty() {
                self.records.joined.fetch_add(1, Ordering::Relaxed);
            }
            self.seen.hellos_ms.push(now_ms);
            *is_joined = true;
        } else if let Some(text) = line.strip_prefix("id: ") {
            *id = Some(text.to_owned());
        } else if let Some(body) = line.strip_prefix("data: ") {
            self.last_id = id.take();
            self.show(body, now_ms);
        }
    }

    fn show(&mut self, body: &str, now_ms: u32) {
        let since_ms = self.last_ms.replace(now_ms).map_or(0, |last| now_ms - last);
        self.seen.silence_max_ms = self.seen.silence_max_ms.max(since_ms);
        let rooms = self.records.load.rooms;
        if let Some(gift) = number_in(body, 'g') {
            if self.seen.gifts.record(gift / rooms, now_ms) {
                self.records.shown.fetch_add(1, Ordering::Relaxed);
            }
        } else if let Some(chat) = number_in(body, 'c') {
            self.seen.chats.record(chat / rooms, now_ms);
        }
    }
}
