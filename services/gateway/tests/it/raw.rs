//! HTTP requests whose answers are read as late as a test wants.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(30);

/// Connection with one request under way.
pub(crate) struct RawHttp {
    stream: TcpStream,
    /// Text read so far, with HTTP's own framing.
    pub(crate) text: String,
}

impl RawHttp {
    pub(crate) async fn get(address: SocketAddr, path: &str, token: Option<&str>) -> RawHttp {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{token}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        RawHttp { stream, text: String::new() }
    }

    /// Reads until this text has come.
    pub(crate) async fn until(&mut self, needle: &str) {
        let reading = async {
            while !self.text.contains(needle) {
                assert!(self.read().await, "the answer ended without {needle}: {}", self.text);
            }
        };
        let came = tokio::time::timeout(PATIENCE, reading).await;
        assert!(came.is_ok(), "{needle} did not come: {}", self.text);
    }

    /// Reads to the end of the connection.
    pub(crate) async fn read_to_end(&mut self) {
        let reading = async { while self.read().await {} };
        let came = tokio::time::timeout(PATIENCE, reading).await;
        assert!(came.is_ok(), "the answer did not end: {}", self.text);
    }

    /// Body of an answer with a content length.
    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().1
    }

    async fn read(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                true
            }
        }
    }
}
