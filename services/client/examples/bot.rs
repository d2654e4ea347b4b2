//! Answers each chat message that begins with `!ping`.
//!
//! `cargo run -p barrage-client --example bot -- http://127.0.0.1:8080 demo "$TOKEN"`

use std::error::Error;

use barrage_client::{Event, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::RoomId;
use barrage_protocol::post::Post;
use serde_json::Value;

/// Watches the room and answers until the server closes for good.
pub(crate) async fn run(entry_url: &str, room: &str, token: &str) -> Result<(), Box<dyn Error>> {
    let room: RoomId = room.parse()?;
    let config = ViewerConfig { token: Some(token.into()), ..ViewerConfig::new(entry_url, room.clone()) };
    let mut viewer = Viewer::start(config);
    // An answer of the bot is activity: its own connection is examined with it.
    let sender = Sender::new(SenderConfig::through_entry(entry_url, token))?.with_viewer(&viewer);
    while let Some(event) = viewer.next().await {
        let Event::Message(message) = event else { continue };
        let body: Value = serde_json::from_str(message.body.get())?;
        if !body["text"].as_str().is_some_and(|text| text.starts_with("!ping")) {
            continue;
        }
        let name = body["name"].as_str().unwrap_or("you");
        // Made from the question, so that a restarted bot cannot answer twice.
        let id = format!("pong-{}", message.sequence.0);
        let post = Post::chat(id.parse()?, format!("pong, {name}"));
        sender.send(&room, &post).await?;
    }
    Ok(())
}

#[tokio::main]
#[allow(dead_code, reason = "a test calls `run` instead")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [entry_url, room, token] = &arguments[..] else {
        return Err("usage: bot ENTRY_URL ROOM TOKEN".into());
    };
    run(entry_url, room, token).await
}
