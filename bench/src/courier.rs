//! Batches of letters into the tables of the inbox, without a lane. Prints one JSON object.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use barrage_inbox::{Entry, Event, Letter, LetterKind, Outcome, Standing};
use barrage_protocol::{MessageId, Sequence, UserId};
use barrage_store::{InboxStore, PostgresConfig, PostgresInbox, SqliteInbox};
use barrage_testkit::PostgresServer;
use clap::{Args, ValueEnum};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde_json::json;

/// Letters that are written before the measurement, so that most conversations exist.
const WARM_LETTERS: u64 = 20_000;
/// Letters that are written one by one, to count the rows of each.
const SINGLE_LETTERS: u64 = 50;

#[derive(Args)]
pub(crate) struct Options {
    /// Engine of the tables.
    #[arg(long, value_enum, default_value_t = Engine::Sqlite)]
    store: Engine,
    /// Empty folder for the file of SQLite; PostgreSQL has a folder of its own.
    #[arg(long)]
    folder: PathBuf,
    /// Letters that are measured.
    #[arg(long, default_value_t = 60_000)]
    letters: u64,
    /// Letters of a batch.
    #[arg(long, default_value_t = 500)]
    batch: u64,
    /// Users that write to each other.
    #[arg(long, default_value_t = 2_000)]
    users: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Pg,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.measure())
    }

    async fn measure(&self) -> anyhow::Result<()> {
        match self.store {
            Engine::Sqlite => {
                let store = SqliteInbox::open(&self.folder.join("inbox.sqlite")).await?;
                self.print(Arc::new(store)).await
            }
            Engine::Pg => {
                let server = PostgresServer::start().await;
                let url = server.url("postgres").into();
                let store = PostgresInbox::open(&PostgresConfig { url, ..PostgresConfig::default() }).await?;
                self.print(Arc::new(store)).await
            }
        }
    }

    async fn print(&self, store: Arc<dyn InboxStore>) -> anyhow::Result<()> {
        let mut lane = Lane { store, at: 0, rng: StdRng::seed_from_u64(1), users: self.users };
        while lane.at < WARM_LETTERS {
            lane.project(self.batch).await?;
        }
        let mut rows = 0;
        for _ in 0..SINGLE_LETTERS {
            rows += lane.project(1).await?;
        }
        let (began, before) = (Instant::now(), process_time());
        let (first, mut took) = (lane.at, Vec::new());
        while lane.at < first + self.letters {
            let one = Instant::now();
            lane.project(self.batch).await?;
            took.push(one.elapsed());
        }
        let (wall, processor) = (began.elapsed(), process_time().saturating_sub(before));
        took.sort_unstable();
        let letters = (lane.at - first) as f64;
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        println!(
            "{}",
            json!({
                "store": match self.store { Engine::Sqlite => "sqlite", Engine::Pg => "pg" },
                "letters": lane.at - first, "batch": self.batch, "users": self.users,
                "per_s": (letters / wall.as_secs_f64()).round(),
                "per_cpu_s": (letters / processor.as_secs_f64()).round(),
                "batch_p50_ms": tenth(at(0.5)), "batch_p99_ms": tenth(at(0.99)),
                "rows_per_message": tenth(rows as f64 / SINGLE_LETTERS as f64),
            })
        );
        Ok(())
    }
}

/// A lane of letters between random users.
struct Lane {
    store: Arc<dyn InboxStore>,
    at: u64,
    rng: StdRng,
    users: u64,
}

impl Lane {
    /// Takes a batch; returns the number of rows that it wrote.
    async fn project(&mut self, letters: u64) -> anyhow::Result<usize> {
        let after = Sequence(self.at);
        let entries: Vec<_> = (0..letters).map(|_| self.entry()).collect::<Result<_, _>>()?;
        let changes = self.store.project(0, after, Sequence(self.at), &entries).await?;
        let sent = changes.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Sent(..))).count();
        ensure!(sent == entries.len(), "letters were refused: {:?}", changes.outcomes);
        Ok(changes.rows())
    }

    fn entry(&mut self) -> anyhow::Result<Entry> {
        self.at += 1;
        let sender = self.rng.random_range(0..self.users);
        // Everybody writes to few others, as people do.
        let to = (sender + 1 + self.rng.random_range(0..10)) % self.users;
        let letter = Letter {
            id: MessageId::parse(&format!("m{}", self.at))?,
            kind: LetterKind::Text,
            body: format!(r#"{{"text":"前方高能预警，第 {} 封"}}"#, self.at),
        };
        let user = |number: u64| UserId::parse(&format!("user-{number}"));
        let event = Event::Letter {
            sender: user(sender)?,
            to: user(to)?,
            letter,
            // Trusted, so that none waits for an answer.
            standing: Standing::Trusted,
        };
        Ok(Entry { sequence: Sequence(self.at), at_ms: 1_700_000_000_000 + self.at, event })
    }
}

/// Returns the processor time of this process: the courier's and, with SQLite, the engine's.
fn process_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or(0))
}
