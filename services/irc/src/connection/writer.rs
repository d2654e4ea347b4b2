//! Writes the queue of a connection to its socket.

use std::sync::Arc;
use std::time::Duration;

use barrage_ws::Opcode;
use barrage_ws::stream::Writer;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio_util::sync::CancellationToken;

use super::outbox::{OutboxReader, Outgoing};
use super::socket::Io;
use crate::metrics::IrcMetrics;

/// Time for the last lines of a connection that ends.
const LAST_LINES_MAX: Duration = Duration::from_secs(5);
/// Bytes of lines that one write carries at most.
const WRITE_BYTES: usize = 16_384;
/// Close code of WebSocket for a normal end.
const NORMAL: u16 = 1000;

/// Writing half of a connection.
pub(super) enum LineWriter {
    Tcp(WriteHalf<Box<dyn Io>>),
    WebSocket(Writer<WriteHalf<Box<dyn Io>>>),
}

/// The socket cannot be written to any more.
struct Broken;

impl LineWriter {
    /// Writes until all senders of the queue are gone, or until `cut`: then what waits is left out. The last
    /// line comes behind either.
    pub(super) async fn run(
        mut self,
        mut queue: OutboxReader,
        cut: CancellationToken,
        last: Arc<parking_lot::Mutex<Option<String>>>,
        metrics: Arc<IrcMetrics>,
    ) {
        let ending = cut.clone();
        let writing = async {
            let written = self.until_end(&mut queue, &cut, &metrics).await;
            let last = last.lock().take();
            if let (Ok(()), Some(line)) = (written, last) {
                drop(self.write(vec![line], &metrics).await);
            }
            self.end().await;
        };
        // A socket that takes nothing holds the task for a moment only, once the session has ended.
        let late = async {
            ending.cancelled().await;
            tokio::time::sleep(LAST_LINES_MAX).await;
        };
        tokio::select! {
            () = writing => {}
            () = late => {}
        }
    }

    async fn until_end(
        &mut self,
        queue: &mut OutboxReader,
        cut: &CancellationToken,
        metrics: &IrcMetrics,
    ) -> Result<(), Broken> {
        loop {
            let item = tokio::select! {
                biased;
                () = cut.cancelled() => return Ok(()),
                item = queue.next() => item,
            };
            let mut lines = Vec::new();
            let mut next = item;
            if next.is_none() {
                return Ok(());
            }
            let mut bytes = 0;
            while let Some(item) = next.take() {
                match item {
                    Outgoing::Line(line) => {
                        bytes += line.len();
                        lines.push(line);
                    }
                    Outgoing::Pong(payload) => self.pong(payload).await?,
                }
                if bytes < WRITE_BYTES {
                    next = queue.try_next();
                }
            }
            self.write(lines, metrics).await?;
        }
    }

    async fn write(&mut self, lines: Vec<String>, metrics: &IrcMetrics) -> Result<(), Broken> {
        metrics.lines_out(lines.len() as u64);
        match self {
            LineWriter::Tcp(socket) => {
                socket.write_all(lines.concat().as_bytes()).await.map_err(|_| Broken)?;
                socket.flush().await.map_err(|_| Broken)
            }
            LineWriter::WebSocket(frames) => {
                for line in lines {
                    // A line of IRC is a frame, without its end.
                    let line = line.trim_end_matches(['\r', '\n']);
                    frames.send(Opcode::Text, line.as_bytes().to_vec()).await.map_err(|_| Broken)?;
                }
                Ok(())
            }
        }
    }

    async fn pong(&mut self, payload: Vec<u8>) -> Result<(), Broken> {
        match self {
            LineWriter::Tcp(_) => Ok(()),
            LineWriter::WebSocket(frames) => frames.send(Opcode::Pong, payload).await.map_err(|_| Broken),
        }
    }

    async fn end(mut self) {
        match &mut self {
            LineWriter::Tcp(socket) => drop(socket.shutdown().await),
            LineWriter::WebSocket(frames) => drop(frames.close(NORMAL, "").await),
        }
    }
}
