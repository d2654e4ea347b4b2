//! A device after 30 days away: one request for 300 conversations with 100,000 items.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, ensure};
use barrage_token::{Keyring, Role, TokenConfig};
use clap::Args;
use serde_json::{Value, json};

use super::http::Connection;
use super::send::{claims, user};
use crate::channel::quantile_ms;

/// Letters of one package.
const PACKAGE: u64 = 64;

#[derive(Args)]
pub(crate) struct Sync {
    /// Public address of the server.
    #[arg(long)]
    address: SocketAddr,
    /// File with the secret that signs the tokens.
    #[arg(long)]
    key: PathBuf,
    /// Conversations of the user.
    #[arg(long, default_value_t = 300)]
    conversations: u64,
    /// Items of all conversations together.
    #[arg(long, default_value_t = 100_000)]
    items: u64,
    /// Requests of each measurement.
    #[arg(long, default_value_t = 300)]
    requests: usize,
}

impl Sync {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.measure())
    }

    async fn measure(self) -> anyhow::Result<()> {
        let secret = std::fs::read_to_string(&self.key)?;
        let keys = Keyring::from_secret(secret.trim().as_bytes(), &TokenConfig::default())?;
        let mut connection = Connection::open(self.address).await?;
        let reader = keys.mint(claims("reader")?)?;
        let mut last = Value::Null;
        for n in 0..self.conversations {
            // A backend's token: no letter waits for an answer.
            let token = keys.mint(barrage_token::Claims { role: Role::Admin, ..claims(&user(n))? })?;
            let (mut sent, each) = (0, self.items / self.conversations);
            while sent < each {
                let some = PACKAGE.min(each - sent);
                let letters: Vec<_> = (sent..sent + some).map(|k| letter(n, k)).collect();
                let body = json!({ "letters": letters }).to_string();
                let answer =
                    connection.ask("POST", "/v1/users/reader/packages", &token, "", &body).await?.json()?;
                last = answer["answers"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
                sent += some;
            }
        }
        let (sequence, lane) = (&last["sequence"], &last["lane"]);
        let mut head = Value::Null;
        for _ in 0..60 {
            let path = format!("/v1/inbox?limit=1&at_least={sequence}&lane={lane}");
            head = connection.ask("GET", &path, &reader, "", "").await?.json()?;
            if head["unread"].as_u64() == Some(self.items / self.conversations * self.conversations) {
                break;
            }
        }
        ensure!(head["unread"].as_u64().is_some_and(|unread| unread > 0), "the letters did not arrive");
        let path = "/v1/inbox?limit=300&top=20&items=20";
        let plain = connection.ask("GET", path, &reader, "", "").await?;
        let answer = plain.json()?;
        let found = answer["conversations"].as_array().map_or(0, Vec::len) as u64;
        ensure!(found == self.conversations.min(300), "the answer has {found} conversations");
        let (mut times, mut bytes) = (Vec::new(), 0);
        for _ in 0..self.requests {
            let began = Instant::now();
            bytes = connection.ask("GET", path, &reader, "Accept-Encoding: gzip\r\n", "").await?.body.len();
            times.push(began.elapsed());
        }
        let cursor = answer["cursor"].as_str().context("a cursor")?;
        let path = format!("/v1/inbox?cursor={cursor}&limit=300");
        let (mut unchanged, began) = (0, Instant::now());
        for _ in 0..self.requests {
            unchanged = connection.ask("GET", &path, &reader, "", "").await?.body.len();
        }
        let per_s = self.requests as f64 / began.elapsed().as_secs_f64();
        let more = usize::from(answer["more"] == true);
        println!(
            "{}",
            json!({ "conversations": found, "items": self.items, "round_trips": 1 + more, "bytes": bytes,
                "bytes_plain": plain.body.len(), "p50_ms": quantile_ms(&mut times, 0.5),
                "p99_ms": quantile_ms(&mut times, 0.99), "unchanged_bytes": unchanged,
                "unchanged_per_s_one_connection": per_s })
        );
        Ok(())
    }
}

fn letter(n: u64, k: u64) -> Value {
    json!({ "type": "text", "id": format!("m{k}"), "text": format!("前方高能预警，第 {n} 位的第 {k} 封") })
}
