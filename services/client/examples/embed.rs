//! Embeds the comments of a room in another program: keeps the newest ones and redraws on a timer.
//!
//! `cargo run -p barrage-client --example embed -- http://127.0.0.1:8080 demo`

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use barrage_client::{Event, Viewer, ViewerConfig};
use serde_json::Value;

/// Comments on the screen.
const COMMENTS_MAX: usize = 10;

/// State that the host program draws.
#[derive(Debug, Default, Clone)]
pub(crate) struct Feed {
    /// Newest comments, the oldest first.
    pub(crate) comments: VecDeque<String>,
    /// Number of viewers in the room.
    pub(crate) online: u64,
}

impl Feed {
    fn update(&mut self, event: Event) {
        match event {
            Event::Hello(hello, _) => self.online = hello.online,
            Event::Pulse { online: Some(online), .. } => self.online = online,
            Event::Message(message) => {
                let body: Value = serde_json::from_str(message.body.get()).unwrap_or_default();
                let (Some(name), Some(text)) = (body["name"].as_str(), body["text"].as_str()) else { return };
                self.comments.push_back(format!("{name}: {text}"));
                if self.comments.len() > COMMENTS_MAX {
                    self.comments.pop_front();
                }
            }
            _ => {}
        }
    }
}

/// Watches the room and calls `draw` at most once per interval. Ends when `draw` returns `false`, or
/// when the server closes for good.
pub(crate) async fn run(
    entry_url: &str,
    room: &str,
    interval: Duration,
    mut draw: impl FnMut(&Feed) -> bool,
) -> Result<(), Box<dyn Error>> {
    let mut viewer = Viewer::start(ViewerConfig::new(entry_url, room.parse()?));
    let (mut feed, mut frame) = (Feed::default(), tokio::time::interval(interval));
    loop {
        tokio::select! {
            event = viewer.next() => match event {
                Some(Event::Closed { message, .. }) => return Err(message.into()),
                Some(event) => feed.update(event),
                None => return Ok(()),
            },
            _ = frame.tick() => if !draw(&feed) { return Ok(()) },
        }
    }
}

#[tokio::main]
#[allow(dead_code, reason = "a test calls `run` instead")]
#[allow(clippy::print_stdout, reason = "the feed is the output of the program")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [entry_url, room] = &arguments[..] else { return Err("usage: embed ENTRY_URL ROOM".into()) };
    run(entry_url, room, Duration::from_millis(500), |feed| {
        let comments = feed.comments.iter().map(|comment| format!("{comment}\n")).collect::<String>();
        println!("\x1b[2J\x1b[H{} online\n{comments}", feed.online);
        true
    })
    .await
}
