//! Posts at an even pace by one sender. The time of a post runs from the moment at which it was due, so
//! that a late answer delays none of the others' times.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use barrage_client::{Sender, SenderConfig};
use barrage_protocol::RoomId;
use barrage_protocol::post::Post;
use clap::Args;
use serde_json::json;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

use super::quantile_ms;
use crate::fanout::on_line;

/// Posts without an answer at the same time; above this number the pace falls.
const WAITING_MAX: usize = 256;

#[derive(Args)]
pub(crate) struct Posts {
    /// Base URL of the uplink, without TLS.
    #[arg(long)]
    url: String,
    /// Token of the sender.
    #[arg(long)]
    token: String,
    /// Room to post to.
    #[arg(long)]
    room: RoomId,
    /// Number of posts that the part starts in a second, at an even pace.
    #[arg(long, default_value_t = 50.0)]
    per_s: f64,
    /// Ends each text with this key and the time in microseconds.
    #[arg(long)]
    time_key: Option<String>,
    /// Posts gifts instead of chat. The name of each ends with the time.
    #[arg(long)]
    gifts: bool,
}

/// Times of the answered posts, and the number of the others, since the last mark.
#[derive(Default)]
struct Sums {
    delays: Vec<Duration>,
    failed: u64,
    last_error: String,
}

impl Posts {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (marks_in, marks) = mpsc::channel(1);
        on_line(move || marks_in.blocking_send(()).unwrap_or_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.post(marks))
    }

    async fn post(self, mut marks: mpsc::Receiver<()>) -> anyhow::Result<()> {
        let sender = Sender::new(SenderConfig::new(&self.url, &self.token))?;
        sender.send(&self.room, &self.timed(0)).await?;
        println!("{}", json!({}));
        let (sums, waiting) = (Arc::new(Mutex::new(Sums::default())), Arc::new(Semaphore::new(WAITING_MAX)));
        let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / self.per_s));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut n = 0;
        loop {
            tokio::select! {
                mark = marks.recv() => {
                    if mark.is_none() {
                        return Ok(());
                    }
                    println!("{}", std::mem::take(&mut *sums.lock().await).line());
                }
                due = tick.tick() => {
                    n += 1;
                    let permit = Arc::clone(&waiting).acquire_owned().await?;
                    let (sender, room, sums) = (sender.clone(), self.room.clone(), Arc::clone(&sums));
                    let post = self.timed(n);
                    tokio::spawn(async move {
                        let sent = sender.send_once(&room, &post).await;
                        let mut sums = sums.lock().await;
                        match sent {
                            Ok(_) => sums.delays.push(Instant::now() - due),
                            Err(error) => {
                                sums.failed += 1;
                                sums.last_error = error.to_string();
                            }
                        }
                        drop(permit);
                    });
                }
            }
        }
    }
}

impl Posts {
    /// Makes a chat or a gift that no other repeats, with its time where a key is given.
    fn timed(&self, n: u64) -> Post {
        let time = |key: &String| format!(" {key}{}", now().as_micros());
        let time = self.time_key.as_ref().map(time).unwrap_or_default();
        if !self.gifts {
            return chat_with(n, &time);
        }
        let gift = json!({ "name": format!("rose{time}"), "count": 1, "price_minor": 100 });
        let id = format!("{:x}-{n:x}", now().as_micros()).parse().unwrap();
        Post::Gift { id, gift: serde_json::from_value(gift).unwrap() }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

impl Sums {
    fn line(mut self) -> serde_json::Value {
        json!({ "posts": self.delays.len(), "failed": self.failed, "last_error": self.last_error,
            "p50_ms": quantile_ms(&mut self.delays, 0.5), "p99_ms": quantile_ms(&mut self.delays, 0.99) })
    }
}

/// Makes a chat that no other repeats.
pub(super) fn chat(n: u64) -> Post {
    chat_with(n, "")
}

fn chat_with(n: u64, end: &str) -> Post {
    let now = now().as_micros();
    // Letters, because the rule for repeated texts does not see digits.
    let text = format!("{:x}{n:x}", now.rotate_left(17) ^ u128::from(n));
    let text: String = text.bytes().map(|digit| char::from(b'a' + digit % 23)).collect();
    let id = format!("{now:x}-{n:x}");
    Post::chat(id.parse().unwrap(), text + end)
}
