//! Posts one chat message and prints its outcome.
//!
//! `cargo run -p barrage-client --example post -- http://127.0.0.1:8080 demo "$TOKEN" "hello"`

use std::error::Error;

use barrage_client::{Sender, SenderConfig};
use barrage_protocol::post::{Outcome, Post, PostAnswer};

/// Posts a text. The sender retries under the same id, so that the message cannot be shown twice.
pub(crate) async fn run(
    entry_url: &str,
    room: &str,
    token: &str,
    text: &str,
) -> Result<PostAnswer, Box<dyn Error>> {
    let sender = Sender::new(SenderConfig::through_entry(entry_url, token))?;
    let id = format!("post-{:x}", rand::random::<u64>());
    let post = Post::chat(id.parse()?, text);
    Ok(sender.send(&room.parse()?, &post).await?)
}

#[tokio::main]
#[allow(dead_code, reason = "a test calls `run` instead")]
#[allow(clippy::print_stdout, reason = "the outcome is the output of the program")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [entry_url, room, token, text] = &arguments[..] else {
        return Err("usage: post ENTRY_URL ROOM TOKEN TEXT".into());
    };
    let answer = run(entry_url, room, token, text).await?;
    match answer.outcome {
        Outcome::Held => println!("held: the room is over its display quota, no one else sees the message"),
        outcome => println!("{outcome:?}"),
    }
    Ok(())
}
