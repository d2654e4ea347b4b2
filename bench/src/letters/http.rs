//! Requests on one kept connection, each when the one before is answered.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer with status 200.
pub(super) struct Answer {
    /// Body of the answer as it came, compressed or not.
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { address, stream, buffer: vec![0; 1 << 20] })
    }

    /// Sends a request, and reads its answer to the end. `headers` end with a line break each.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        headers: &str,
        body: &str,
    ) -> anyhow::Result<Answer> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let (mut filled, mut whole) = (0, None);
        while whole.is_none_or(|(_, end)| filled < end) {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                bail!("the server closed the connection, or an answer is larger than 1 MiB");
            }
            filled += read;
            whole = whole.map_or_else(|| head(&self.buffer[..filled]), |known| Ok(Some(known)))?;
        }
        let (begin, end) = whole.context("no answer")?;
        let status = String::from_utf8_lossy(&self.buffer[9..12]).into_owned();
        let body = self.buffer[begin..end].to_vec();
        if status != "200" {
            bail!("{method} {path} was answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(Answer { body })
    }
}

/// Returns where the body of an answer begins and ends; `None` before the whole head has come.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end])?;
    let is_length = |line: &&str| line.to_ascii_lowercase().starts_with("content-length:");
    let length = text.lines().find(is_length).context("an answer without a length")?;
    let length: usize = length.split(':').nth(1).context("a header without a value")?.trim().parse()?;
    Ok(Some((end + 4, end + 4 + length)))
}
