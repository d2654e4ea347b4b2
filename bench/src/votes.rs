//! Thousands of voters in one poll. Each votes once, some vote again and for something else; the result
//! must have each of them once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use barrage_client::{ClientTls, HttpPool, Sender, SenderConfig};
use barrage_protocol::poll::PollRequest;
use barrage_protocol::{MessageId, RoomId};
use barrage_token::{Claims, Keyring, Role, Rooms, TokenConfig};
use clap::Args;
use serde_json::json;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

/// Options of the poll.
const OPTIONS: usize = 4;
/// One voter in this many votes again, for the next option.
const AGAIN_ONE_IN: usize = 10;

#[derive(Args)]
pub(crate) struct Votes {
    /// Base URLs of the uplinks, without TLS. A voter takes one of them, and another one to vote again.
    #[arg(long, value_delimiter = ',')]
    urls: Vec<String>,
    /// File with the secret that signs the tokens.
    #[arg(long)]
    key: PathBuf,
    /// Room of the poll.
    #[arg(long)]
    room: RoomId,
    /// Number of voters, each with a token of its own.
    #[arg(long, default_value_t = 15_000)]
    voters: usize,
    /// Votes without an answer at the same time.
    #[arg(long, default_value_t = 256)]
    at_once: usize,
}

/// What the voters were answered.
#[derive(Default)]
struct Answers {
    /// Votes by option, as the answers said.
    counted: [u64; OPTIONS],
    /// Second votes that were answered with the first one.
    again: u64,
    failed: u64,
    last_error: String,
    delays: Vec<Duration>,
}

impl Votes {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(self.vote())
    }

    async fn vote(self) -> anyhow::Result<()> {
        let secret = std::fs::read_to_string(&self.key)?;
        let keys = Keyring::from_secret(secret.trim().as_bytes(), &TokenConfig::default())?;
        let pool = HttpPool::with_tls(&ClientTls::system());
        let sender = |user: &str, role, at: usize| -> anyhow::Result<Sender> {
            let url = &self.urls[at % self.urls.len()];
            let mut config = SenderConfig::new(url, keys.mint(claims(user, role)?)?);
            // A slow machine is no lost vote.
            (config.deadline, config.attempt_timeout) = (Duration::from_secs(60), Duration::from_secs(30));
            Ok(Sender::with_pool(config, &pool)?)
        };
        let moderator = sender("moderator", Role::Moderator, 0)?;
        let poll: MessageId = "bench".parse()?;
        moderator.open_poll(&self.room, &request(&poll)).await.context("the poll was not opened")?;
        let (answers, places) =
            (Arc::new(Mutex::new(Answers::default())), Arc::new(Semaphore::new(self.at_once)));
        let started = Instant::now();
        for n in 0..self.voters {
            let user = format!("voter-{n}");
            let first = sender(&user, Role::Viewer, n)?;
            let second =
                if n.is_multiple_of(AGAIN_ONE_IN) { Some(sender(&user, Role::Viewer, n + 1)?) } else { None };
            let permit = Arc::clone(&places).acquire_owned().await?;
            let (room, poll, answers) = (self.room.clone(), poll.clone(), Arc::clone(&answers));
            tokio::spawn(async move {
                one_voter(n, &first, second.as_ref(), &room, &poll, &answers).await;
                drop(permit);
            });
        }
        let _all = places.acquire_many(u32::try_from(self.at_once)?).await?;
        let secs = started.elapsed().as_secs_f64();
        let result = moderator.close_poll(&self.room, &poll).await.context("the poll was not closed")?;
        let mut answers = answers.lock().await;
        // Votes that were not answered may count or not: they are no error of the sum, and are reported.
        let error: u64 =
            result.view.votes.iter().zip(answers.counted).map(|(of, answered)| of.abs_diff(answered)).sum();
        let p99_ms = super::channel::quantile_ms(&mut answers.delays, 0.99);
        println!(
            "{}",
            json!({ "voters": self.voters, "votes": result.view.votes.iter().sum::<u64>(), "sum_error": error,
                "voted_again": answers.again, "failed": answers.failed, "last_error": answers.last_error,
                "secs": secs, "votes_per_s": self.voters as f64 / secs, "vote_p99_ms": p99_ms })
        );
        Ok(())
    }
}

/// Votes once or twice. An answer of the second vote must have the option of the first.
async fn one_voter(
    n: usize,
    first: &Sender,
    second: Option<&Sender>,
    room: &RoomId,
    poll: &MessageId,
    answers: &Mutex<Answers>,
) {
    let option = (n % OPTIONS) as u8 + 1;
    let other = (n + 1) % OPTIONS;
    let began = Instant::now();
    let of_first = first.vote(room, poll, option).await;
    let delay = began.elapsed();
    let of_second = match second {
        Some(second) => Some(second.vote(room, poll, other as u8 + 1).await),
        None => None,
    };
    let mut answers = answers.lock().await;
    match of_first {
        Ok(answer) => {
            answers.counted[usize::from(answer.option) - 1] += 1;
            answers.delays.push(delay);
        }
        Err(error) => {
            answers.failed += 1;
            answers.last_error = error.to_string();
        }
    }
    if let Some(Ok(answer)) = of_second {
        answers.again += u64::from(answer.duplicate && answer.option == option);
    }
}

fn claims(user: &str, role: Role) -> anyhow::Result<Claims> {
    Ok(Claims {
        sub: user.parse()?,
        name: None,
        rooms: Rooms(vec!["*".into()]),
        role,
        exp: u64::from(u32::MAX),
        nbf: None,
        aud: String::new(),
        attrs: None,
    })
}

fn request(poll: &MessageId) -> PollRequest {
    let options = (1..=OPTIONS).map(|n| format!("option {n}")).collect();
    PollRequest {
        id: poll.clone(),
        question: "Which one?".into(),
        options,
        secs: 3_600,
        guests: true,
        words: false,
    }
}
