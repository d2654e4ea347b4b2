//! Letters at an even pace, or as fast as they are accepted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barrage_token::{Claims, Keyring, Role, Rooms, TokenConfig};
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http::Connection;
use crate::channel::quantile_ms;

/// One letter in this many is looked for in its receiver's inbox.
const SEEN_ONE_IN: u64 = 10;

#[derive(Args)]
pub(crate) struct Letters {
    /// Public address of the server.
    #[arg(long)]
    address: SocketAddr,
    /// File with the secret that signs the tokens.
    #[arg(long)]
    key: PathBuf,
    /// Users that write to each other.
    #[arg(long, default_value_t = 500)]
    users: u64,
    /// Connections that send letters at the same time.
    #[arg(long, default_value_t = 64)]
    connections: u64,
    /// Letters a second of all connections; 0 for as many as are accepted.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// Time of sending, in seconds.
    #[arg(long, default_value_t = 10.0)]
    secs: f64,
}

/// What all connections have seen.
#[derive(Default)]
struct Sums {
    accepted: Mutex<Vec<Duration>>,
    /// Times from the request to the receiver's inbox.
    seen: Mutex<Vec<Duration>>,
}

impl Letters {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(self.measure())
    }

    async fn measure(self) -> anyhow::Result<()> {
        let secret = std::fs::read_to_string(&self.key)?;
        let keys = Keyring::from_secret(secret.trim().as_bytes(), &TokenConfig::default())?;
        let tokens = (0..self.users).map(|n| keys.mint(claims(&user(n))?).map_err(anyhow::Error::from));
        let tokens = Arc::new(tokens.collect::<anyhow::Result<Vec<_>>>()?);
        self.let_everyone_write(&tokens).await?;
        let (sums, next) = (Arc::new(Sums::default()), Arc::new(AtomicU64::new(0)));
        let began = Instant::now();
        let until = began + Duration::from_secs_f64(self.secs);
        let mut senders = JoinSet::new();
        for n in 0..self.connections {
            let sender = Sender {
                connection: Connection::open(self.address).await?,
                tokens: Arc::clone(&tokens),
                sums: Arc::clone(&sums),
                next: Arc::clone(&next),
                rate: self.rate,
            };
            senders.spawn(sender.run(n, began, until));
        }
        let mut last = Value::Null;
        while let Some(sent) = senders.join_next().await {
            let sent = sent??;
            if sent["sequence"].as_u64() > last["sequence"].as_u64() {
                last = sent;
            }
        }
        let accepted_secs = began.elapsed().as_secs_f64();
        let mut connection = Connection::open(self.address).await?;
        // The lane is taken in order: the last letter is the last one that is readable.
        for _ in 0..60 {
            let path = format!(
                "/v1/inbox?limit=1&items=1&top=1&at_least={}&lane={}",
                last["sequence"], last["lane"]
            );
            let answer = connection.ask("GET", &path, &tokens[0], "", "").await?;
            if answer.json()?["version"].as_u64().is_some() && Instant::now() > until {
                break;
            }
        }
        let secs = began.elapsed().as_secs_f64();
        let mut accepted = sums.accepted.lock().await;
        let (letters, mut seen) = (accepted.len(), sums.seen.lock().await);
        println!(
            "{}",
            json!({ "letters": letters, "per_s": letters as f64 / secs, "accepted_per_s": letters as f64 / accepted_secs,
                "accept_p50_ms": quantile_ms(&mut accepted, 0.5), "accept_p99_ms": quantile_ms(&mut accepted, 0.99),
                "p50_ms": quantile_ms(&mut seen, 0.5), "p99_ms": quantile_ms(&mut seen, 0.99) })
        );
        Ok(())
    }

    /// Lets strangers write to all users without an answer.
    async fn let_everyone_write(&self, tokens: &[String]) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address).await?;
        for token in tokens {
            let everyone = r#"{"policy":"everyone"}"#;
            connection.ask("PUT", "/v1/inbox/preferences", token, "", everyone).await?;
        }
        Ok(())
    }
}

struct Sender {
    connection: Connection,
    tokens: Arc<Vec<String>>,
    sums: Arc<Sums>,
    /// Number of the next letter of all senders.
    next: Arc<AtomicU64>,
    rate: u64,
}

impl Sender {
    /// Sends until the time is over, and returns the last answer.
    async fn run(mut self, _: u64, began: Instant, until: Instant) -> anyhow::Result<Value> {
        let users = self.tokens.len() as u64;
        let mut last = Value::Null;
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            if self.rate > 0 {
                let at = began + Duration::from_secs_f64(n as f64 / self.rate as f64);
                tokio::time::sleep_until(at).await;
            }
            let now = Instant::now();
            if now >= until {
                return Ok(last);
            }
            // Everybody writes to few others, as people do.
            let (from, to) = (n % users, (n + 1 + (n / users) % 10) % users);
            let body = format!(r#"{{"type":"text","id":"m{n}","text":"前方高能预警，第 {n} 封"}}"#);
            let path = format!("/v1/users/{}/messages", user(to));
            let token = &self.tokens[from as usize];
            let answer = self.connection.ask("POST", &path, token, "", &body).await?.json()?;
            self.sums.accepted.lock().await.push(now.elapsed());
            if self.rate > 0 && n.is_multiple_of(SEEN_ONE_IN) {
                let path = format!(
                    "/v1/inbox?limit=1&items=1&top=1&at_least={}&lane={}",
                    answer["sequence"], answer["lane"]
                );
                self.connection.ask("GET", &path, &self.tokens[to as usize], "", "").await?;
                self.sums.seen.lock().await.push(now.elapsed());
            }
            last = answer;
        }
    }
}

/// Returns the id of a user by its number.
pub(super) fn user(n: u64) -> String {
    format!("user-{n}")
}

/// Returns the claims of a user's token.
pub(super) fn claims(user: &str) -> anyhow::Result<Claims> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    Ok(Claims {
        sub: user.parse()?,
        name: None,
        rooms: Rooms(vec!["*".into()]),
        role: Role::Viewer,
        exp: now + 3_600,
        nbf: None,
        attrs: None,
        aud: String::new(),
    })
}
