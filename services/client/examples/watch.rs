//! Prints the messages of a room.
//!
//! `cargo run -p barrage-client --example watch -- http://127.0.0.1:8080 demo`

use std::error::Error;
use std::io::Write;

use barrage_client::{Event, Viewer, ViewerConfig};

/// Watches the room and writes one line per message to `out`, until the server closes for good.
pub(crate) async fn run(entry_url: &str, room: &str, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut viewer = Viewer::start(ViewerConfig::new(entry_url, room.parse()?));
    while let Some(event) = viewer.next().await {
        match event {
            Event::Hello(hello, transport) => {
                writeln!(out, "joined {} by {transport:?}, {} online", hello.room, hello.online)?;
            }
            Event::Message(message) => writeln!(out, "{} {}", message.sequence.0, message.body)?,
            Event::LeftOut { chat } => writeln!(out, "({chat} chat messages dropped)")?,
            Event::Reconnecting { wait_ms, .. } => writeln!(out, "reconnecting in {wait_ms} ms")?,
            Event::Closed { message, .. } => return Err(message.into()),
            _ => {}
        }
        out.flush()?;
    }
    Ok(())
}

#[tokio::main]
#[allow(dead_code, reason = "a test calls `run` instead")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [entry_url, room] = &arguments[..] else { return Err("usage: watch ENTRY_URL ROOM".into()) };
    run(entry_url, room, &mut std::io::stdout()).await
}
