//! A connection that sends any bytes.

use std::net::SocketAddr;
use std::time::Duration;

use barrage_testkit::wait;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longest wait for a line.
const LINE_MAX: Duration = Duration::from_secs(30);

pub(super) struct Raw<S = TcpStream>(BufReader<S>);

impl Raw {
    pub(super) async fn connect(irc: SocketAddr) -> Raw {
        Raw(BufReader::new(TcpStream::connect(irc).await.unwrap()))
    }

    /// Connects, logs in and joins a channel, with all capabilities.
    pub(super) async fn joined(irc: SocketAddr, channel: &str, token: &str) -> Raw {
        let mut raw = Raw::connect(irc).await;
        raw.send("CAP REQ :twitch.tv/tags twitch.tv/commands").await;
        let login =
            if token.is_empty() { "NICK justinfan1".into() } else { format!("PASS oauth:{token}\r\nNICK x") };
        raw.send(&login).await;
        raw.send(&format!("JOIN #{channel}")).await;
        raw.line("ROOMSTATE").await;
        raw
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(super) fn over(stream: S) -> Self {
        Raw(BufReader::new(stream))
    }

    pub(super) async fn send(&mut self, line: &str) {
        self.bytes(format!("{line}\r\n").as_bytes()).await;
    }

    /// Sends bytes; the server may have closed.
    pub(super) async fn bytes(&mut self, bytes: &[u8]) {
        drop(wait::within(LINE_MAX, "a server that reads", self.0.write_all(bytes)).await);
    }

    /// Returns the next line with this part, and skips all others.
    pub(super) async fn line(&mut self, part: &str) -> String {
        let mut skipped = Vec::new();
        loop {
            let line = self.next().await.unwrap_or_else(|| panic!("closed before {part:?}: {skipped:#?}"));
            if line.contains(part) {
                return line;
            }
            skipped.push(line);
        }
    }

    /// Returns the next line without its end; `None` at the end of the connection.
    pub(super) async fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = wait::within(LINE_MAX, "a line", self.0.read_until(b'\n', &mut line)).await;
        let text = String::from_utf8(line).unwrap();
        (read.is_ok() && !text.is_empty()).then(|| text.trim_end_matches(['\r', '\n']).to_owned())
    }
}
