//! Mutes each user who posts a forbidden word.
//!
//! `cargo run -p barrage-client --example moderate -- http://127.0.0.1:8080 demo "$MODERATOR_TOKEN" scam`

use std::error::Error;

use barrage_client::{Event, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::action::{Action, ActionRequest};
use serde_json::Value;

/// Length of a mute in seconds.
const MUTE_SECS: u64 = 600;

/// Watches the room and mutes until the server closes for good. The user of the token is a moderator.
pub(crate) async fn run(entry_url: &str, room: &str, token: &str, word: &str) -> Result<(), Box<dyn Error>> {
    let sender = Sender::new(SenderConfig::through_entry(entry_url, token))?;
    let mut viewer = Viewer::start(ViewerConfig::new(entry_url, room.parse()?));
    while let Some(event) = viewer.next().await {
        let Event::Message(message) = event else { continue };
        let body: Value = serde_json::from_str(message.body.get())?;
        let is_forbidden = body["text"].as_str().is_some_and(|text| text.contains(word));
        let (true, Some(user)) = (is_forbidden, body["user"].as_str()) else { continue };
        let action = Action::Mute { user: user.parse()?, secs: MUTE_SECS };
        // The position makes the id: one mute for each message, also after a restart.
        let id = format!("word-{}", message.sequence).parse()?;
        let request = ActionRequest { id, action, reason: Some(format!("forbidden word: {word}")) };
        if let Err(error) = sender.act(&room.parse()?, &request).await {
            tracing::warn!(%error, user, "a user was not muted");
        }
    }
    Ok(())
}

#[tokio::main]
#[allow(dead_code, reason = "a test calls `run` instead")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [entry_url, room, token, word] = &arguments[..] else {
        return Err("usage: moderate ENTRY_URL ROOM MODERATOR_TOKEN WORD".into());
    };
    run(entry_url, room, token, word).await
}
