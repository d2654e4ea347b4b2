//! Letters at an even pace, or as fast as they are accepted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use barrage_token::{Claims, Keyring, Role, Rooms, TokenConfig};
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http::Connection;
use crate::channel::quantile_ms;

/// Longest time for which the server lets a request wait for a place of the lane, less a little.
const AT_LEAST_MAX: Duration = Duration::from_millis(1_900);
/// Requests that wait, one after the other.
const READABLE_TRIES: u32 = 60;

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
    /// Prints an empty object when the users are ready, before the first letter.
    #[arg(long)]
    announce: bool,
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
        if self.announce {
            println!("{}", json!({}));
        }
        let (accepted, next) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
        let began = Instant::now();
        let until = began + Duration::from_secs_f64(self.secs);
        let mut senders = JoinSet::new();
        for _ in 0..self.connections {
            let sender = Sender {
                connection: Connection::open(self.address).await?,
                tokens: Arc::clone(&tokens),
                accepted: Arc::clone(&accepted),
                next: Arc::clone(&next),
                rate: self.rate,
            };
            senders.spawn(sender.run(began, until));
        }
        let mut last = Value::Null;
        while let Some(sent) = senders.join_next().await {
            last = newest(last, sent??);
        }
        let accepted_secs = began.elapsed().as_secs_f64();
        wait_readable(&mut Connection::open(self.address).await?, &tokens[0], &last).await?;
        let secs = began.elapsed().as_secs_f64();
        let mut accepted = accepted.lock().await;
        let letters = accepted.len() as f64;
        println!(
            "{}",
            json!({ "letters": letters, "per_s": letters / secs, "accepted_per_s": letters / accepted_secs,
                "accept_p50_ms": quantile_ms(&mut accepted, 0.5), "accept_p99_ms": quantile_ms(&mut accepted, 0.99) })
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
    /// Times to the answers, from the moment at which a letter was due.
    accepted: Arc<Mutex<Vec<Duration>>>,
    /// Number of the next letter of all senders.
    next: Arc<AtomicU64>,
    rate: u64,
}

impl Sender {
    /// Sends until the time is over, and returns the last answer.
    async fn run(mut self, began: Instant, until: Instant) -> anyhow::Result<Value> {
        let users = self.tokens.len() as u64;
        let mut last = Value::Null;
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let mut due = Instant::now();
            if self.rate > 0 {
                due = began + Duration::from_secs_f64(n as f64 / self.rate as f64);
                tokio::time::sleep_until(due).await;
            }
            if due >= until {
                return Ok(last);
            }
            // Everybody writes to few others, as people do.
            let (from, to) = (n % users, (n + 1 + (n / users) % 10) % users);
            let body = format!(r#"{{"type":"text","id":"m{n}","text":"前方高能预警，第 {n} 封"}}"#);
            let path = format!("/v1/users/{}/messages", user(to));
            let token = &self.tokens[from as usize];
            let answer = self.connection.ask("POST", &path, token, "", &body).await?.json()?;
            self.accepted.lock().await.push(due.elapsed());
            last = newest(last, answer);
        }
    }
}

/// Returns the answer that is later in the lane.
pub(super) fn newest(one: Value, other: Value) -> Value {
    if other["sequence"].as_u64() > one["sequence"].as_u64() { other } else { one }
}

/// Waits until a letter is readable. One lane is taken in order, so all letters before it are.
pub(super) async fn wait_readable(
    connection: &mut Connection,
    token: &str,
    letter: &Value,
) -> anyhow::Result<()> {
    let path =
        format!("/v1/inbox?limit=1&items=1&top=1&at_least={}&lane={}", letter["sequence"], letter["lane"]);
    for _ in 0..READABLE_TRIES {
        let began = Instant::now();
        connection.ask("GET", &path, token, "", "").await?;
        // An answer that waited for its longest time came without the letter.
        if began.elapsed() < AT_LEAST_MAX {
            return Ok(());
        }
    }
    bail!("the letters were not readable in time")
}

/// Returns the id of a user by its number.
pub(super) fn user(n: u64) -> String {
    format!("user-{n}")
}

/// Returns the claims of a user's token.
pub(crate) fn claims(user: &str) -> anyhow::Result<Claims> {
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
