//! Viewers that join with a token, and attach at a mark.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket};
use barrage_token::{Keyring, TokenConfig};
use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use super::send::claims;
use crate::fanout::on_line;

/// Longest wait for `hello` and `attached`.
const ANSWER_MAX: Duration = Duration::from_secs(20);

#[derive(Args)]
pub(crate) struct Attach {
    /// Public address of the server.
    #[arg(long)]
    address: SocketAddr,
    /// File with the secret that signs the tokens.
    #[arg(long)]
    key: PathBuf,
    /// Number of the first viewer; each has a user of its own.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Number of viewers that join.
    #[arg(long)]
    count: u64,
    /// Room that the viewers join.
    #[arg(long, default_value = "demo")]
    room: String,
}

impl Attach {
    /// Prints a line when all have joined, and another one at the first mark, when all are attached. Keeps the
    /// connections until its input ends.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (marks_in, marks) = mpsc::channel(1);
        on_line(move || marks_in.blocking_send(()).unwrap_or_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.join(marks))
    }

    async fn join(self, mut marks: mpsc::Receiver<()>) -> anyhow::Result<()> {
        let secret = std::fs::read_to_string(&self.key)?;
        let keys = Keyring::from_secret(secret.trim().as_bytes(), &TokenConfig::default())?;
        let mut sockets = Vec::new();
        for n in self.first..self.first + self.count {
            let token = keys.mint(claims(&format!("viewer-{n}"))?)?;
            let mut socket = RawSocket::join(self.address, &self.room, Some(&token), None).await;
            until(&mut socket, |frame| matches!(frame, ServerFrame::Hello(_))).await?;
            sockets.push(socket);
        }
        println!("{}", json!({ "joined": sockets.len() }));
        if marks.recv().await.is_some() {
            for socket in &mut sockets {
                socket.send_text(r#"{"type":"attach"}"#).await;
            }
            for socket in &mut sockets {
                until(socket, |frame| matches!(frame, ServerFrame::Attached(_))).await?;
            }
            println!("{}", json!({ "attached": sockets.len() }));
        }
        while marks.recv().await.is_some() {}
        Ok(())
    }
}

/// Reads frames up to one of a kind.
async fn until(socket: &mut RawSocket, is_it: impl Fn(&ServerFrame) -> bool) -> anyhow::Result<()> {
    loop {
        match socket.next_within(ANSWER_MAX).await.context("no frame of the server")? {
            Frame::Protocol(ServerFrame::Error(refusal), _) => bail!("refused: {refusal:?}"),
            Frame::Protocol(frame, _) if is_it(&frame) => return Ok(()),
            Frame::Protocol(..) | Frame::Pong(_) => {}
            Frame::Close(_) | Frame::End => bail!("the server closed a connection"),
        }
    }
}
