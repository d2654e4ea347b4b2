//! Prints the letters of a user, also those of the time when the program did not run.
//!
//! `cargo run -p barrage-client --example inbox -- http://127.0.0.1:8080 "$TOKEN" inbox.json`

use std::error::Error;
use std::io::Write;
use std::path::Path;

use barrage_client::{Device, DeviceConfig, DeviceEvent, InboxChange, KeptInbox};
use serde_json::Value;

/// Follows the inbox of the token's user and writes one line per new letter to `out`, until the server closes for good.
/// The file keeps how far the program is: with each start, it gets what it has not printed.
pub(crate) async fn run(
    entry_url: &str,
    token: &str,
    file: &Path,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut kept: KeptInbox = match std::fs::read(file) {
        Ok(json) => serde_json::from_slice(&json)?,
        Err(_) => KeptInbox::default(),
    };
    let mut device =
        Device::start(DeviceConfig { kept: kept.clone(), ..DeviceConfig::new(entry_url, token) });
    // Asking for the next event says that the change before is written.
    while let Some(event) = device.next().await {
        match event {
            DeviceEvent::Change(change) => {
                print(&change, &kept, out)?;
                kept.take(&change);
                write(file, &kept)?;
            }
            DeviceEvent::Reconnecting { wait_ms, .. } => writeln!(out, "reconnecting in {wait_ms} ms")?,
            DeviceEvent::Closed { message, .. } => return Err(message.into()),
            DeviceEvent::Attached { .. } => {}
        }
        out.flush()?;
    }
    Ok(())
}

/// Prints the letters behind those that are kept, and the number of unread ones.
fn print(change: &InboxChange, kept: &KeptInbox, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    for row in &change.conversations {
        let before = kept.conversations.get(&row.conversation).map_or(0, |row| row.head);
        for item in row.items.iter().filter(|item| item.position > before) {
            let body: Value =
                item.body.as_ref().map_or(Ok(Value::Null), |body| serde_json::from_str(body.get()))?;
            if let Some(text) = body["text"].as_str() {
                writeln!(out, "{}: {text}", item.sender)?;
            }
        }
    }
    writeln!(out, "{} unread", change.unread)?;
    Ok(())
}

/// Replaces the file as a whole, so that a start finds the old state or the new one.
fn write(file: &Path, kept: &KeptInbox) -> Result<(), Box<dyn Error>> {
    let new = file.with_extension("new");
    std::fs::write(&new, serde_json::to_vec(kept)?)?;
    Ok(std::fs::rename(&new, file)?)
}

#[tokio::main]
#[allow(dead_code, reason = "a test calls `run` instead")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [entry_url, token, file] = &arguments[..] else {
        return Err("usage: inbox ENTRY_URL TOKEN FILE".into());
    };
    run(entry_url, token, Path::new(file), &mut std::io::stdout()).await
}
