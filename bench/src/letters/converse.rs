//! One letter each to many conversations, and the wait until all are readable.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::ensure;
use barrage_token::{Claims, Keyring, Role, TokenConfig};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::http::Connection;
use super::send::{claims, newest, wait_readable};

#[derive(Args)]
pub(crate) struct Converse {
    /// Public address of the server.
    #[arg(long)]
    address: SocketAddr,
    /// File with the secret that signs the tokens.
    #[arg(long)]
    key: PathBuf,
    /// Number of the first conversation.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Number of conversations, one letter each.
    #[arg(long)]
    count: u64,
    /// Number of the letter within each conversation.
    #[arg(long, default_value_t = 0)]
    round: u64,
    /// Connections that send at the same time.
    #[arg(long, default_value_t = 32)]
    connections: u64,
}

impl Converse {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(self.write())
    }

    async fn write(self) -> anyhow::Result<()> {
        let secret = std::fs::read_to_string(&self.key)?;
        let keys = Arc::new(Keyring::from_secret(secret.trim().as_bytes(), &TokenConfig::default())?);
        let (next, end) = (Arc::new(AtomicU64::new(self.first)), self.first + self.count);
        let mut writers = JoinSet::new();
        for _ in 0..self.connections {
            let (keys, next, round) = (Arc::clone(&keys), Arc::clone(&next), self.round);
            let mut connection = Connection::open(self.address).await?;
            writers.spawn(async move {
                let mut last = Value::Null;
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= end {
                        return anyhow::Ok(last);
                    }
                    // A backend's token: none of its letters waits for an answer.
                    let token = keys.mint(Claims { role: Role::Admin, ..claims(&format!("from-{n}"))? })?;
                    let (path, body) = (
                        format!("/v1/users/to-{n}/messages"),
                        format!(r#"{{"type":"text","id":"m{round}","text":"前方高能预警，第 {n} 封"}}"#),
                    );
                    let answer = connection.ask("POST", &path, &token, "", &body).await?.json()?;
                    ensure!(answer["outcome"] == "accepted", "not accepted: {answer}");
                    last = newest(last, answer);
                }
            });
        }
        let mut last = Value::Null;
        while let Some(answer) = writers.join_next().await {
            last = newest(last, answer??);
        }
        let reader = keys.mint(claims("to-0")?)?;
        wait_readable(&mut Connection::open(self.address).await?, &reader, &last).await?;
        println!("{}", json!({ "letters": self.count }));
        Ok(())
    }
}
