//! Mutes each user who posts a forbidden word.
//!
//! `cargo run -p barrage-client --example moderate -- http://127.0.0.1:8080 http://127.0.0.1:8081 demo "$ADMIN_TOKEN" scam`

use std::error::Error;

use barrage_client::{Event, Viewer, ViewerConfig};
use serde_json::{Value, json};

/// Length of a mute in seconds.
const MUTE_SECS: u64 = 600;

/// Watches the room and mutes until the server closes for good. The token has the role admin.
pub(crate) async fn run(
    entry_url: &str,
    admin_url: &str,
    room: &str,
    token: &str,
    word: &str,
) -> Result<(), Box<dyn Error>> {
    let http = reqwest::Client::new();
    let mut viewer = Viewer::start(ViewerConfig::new(entry_url, room.parse()?));
    while let Some(event) = viewer.next().await {
        let Event::Message(message) = event else { continue };
        let body: Value = serde_json::from_str(message.body.get())?;
        let is_forbidden = body["text"].as_str().is_some_and(|text| text.contains(word));
        let (true, Some(user)) = (is_forbidden, body["user"].as_str()) else { continue };
        let url = format!("{admin_url}/v1/admin/rooms/{room}/mute");
        let mute = json!({ "user": user, "secs": MUTE_SECS });
        http.post(url).bearer_auth(token).json(&mute).send().await?.error_for_status()?;
    }
    Ok(())
}

#[tokio::main]
#[allow(dead_code, reason = "a test calls `run` instead")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [entry_url, admin_url, room, token, word] = &arguments[..] else {
        return Err("usage: moderate ENTRY_URL ADMIN_URL ROOM ADMIN_TOKEN WORD".into());
    };
    run(entry_url, admin_url, room, token, word).await
}
