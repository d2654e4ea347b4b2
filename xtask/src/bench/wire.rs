//! Bytes on the wire: a recording's messages as a gateway sends them, in each encoding.
//!
//! Batches are made by count, and times come from the recording: the figures are the same on every machine.

use std::path::Path;

use anyhow::{Context, ensure};
use barrage_protocol::deflate::{DEFLATE_BYTES_MIN, deflate};
use barrage_protocol::lines::{LineItem, LineLog, TRAIL_BYTES_MAX};
use barrage_protocol::post::{Post, Style};
use barrage_protocol::{BatchItem, BatchWriter, Class, MessageId, RoomId, Sequence};
use barrage_recording::{Limits, Recording, convert};
use serde_json::{Map, Value, json};

use crate::run::{root, say};

/// Compression effort of a hot room, by the defaults of the configuration.
const EFFORT: u32 = 6;
/// Position of the room before the recording.
const START: u64 = 1_000;
/// Unix time of the recording's start in milliseconds.
const START_MS: u64 = 1_764_500_000_000;
/// Digits of the ids that the page makes.
const ID_DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Message of the recording as an uplink publishes it.
struct Message {
    class: Class,
    id: MessageId,
    body: String,
}

/// Bytes of all messages of a recording, with the headers of the WebSocket frames.
#[derive(Debug, Default, Clone, Copy)]
struct Bytes {
    json: usize,
    /// JSON deflated, as clients without lines get it.
    deflated: usize,
    /// Lines, for a viewer that was there from the start.
    lines: usize,
    /// Lines that refer to none before them, for a viewer that has just come.
    newcomer: usize,
}

/// Measures a recording and divides the bytes by the messages.
pub(crate) fn main(recording: Option<&Path>, speed: f64, batch: usize, as_json: bool) -> anyhow::Result<()> {
    ensure!(batch > 0 && speed > 0.0, "--batch and --speed must be greater than 0");
    let path = recording.map_or_else(|| root().join("services/recording/assets/demo.xml"), Path::to_owned);
    let recording = read(&path)?;
    let messages = messages(&recording, speed);
    ensure!(!messages.is_empty(), "{}: no message", path.display());
    let bytes = measure(&messages, batch)?;
    let each = |bytes: usize| (bytes as f64 / messages.len() as f64 * 10.0).round() / 10.0;
    let secs = recording.duration_ms() as f64 / 1_000.0 / speed;
    let per_s = (messages.len() as f64 / secs).round();
    if as_json {
        return say(&json!({ "bytes_per_message_json": each(bytes.json),
            "bytes_per_message_deflate": each(bytes.lines), "bytes_per_message_lines": each(bytes.lines),
            "bytes_per_message_lines_newcomer": each(bytes.newcomer),
            "bytes_per_message_deflated_json": each(bytes.deflated), "messages_per_s": per_s,
            "messages": messages.len(), "messages_per_batch": batch })
        .to_string());
    }
    say(&format!(
        "{} messages in batches of {batch}: {} bytes each as JSON, {} deflated, {} as lines ({} for a newcomer)",
        messages.len(),
        each(bytes.json),
        each(bytes.deflated),
        each(bytes.lines),
        each(bytes.newcomer),
    ))
}

fn read(path: &Path) -> anyhow::Result<Recording> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    barrage_recording::parse(&bytes, &Limits::default()).with_context(|| path.display().to_string())
}

/// Makes the messages that a replay at this speed would publish.
fn messages(recording: &Recording, speed: f64) -> Vec<Message> {
    let mut random = 1_u64;
    let items = recording.items.iter().enumerate();
    items
        .map(|(index, item)| {
            let id = drawn_id(&mut random);
            // A recording without senders gets a third as many as messages.
            let senders = recording.items.len().div_ceil(3).max(1);
            let sender = match item.sender.trim_matches('0') {
                "" => format!("crowd-{}", index * 7_919 % senders),
                sender => sender.to_owned(),
            };
            let at_ms = START_MS + (item.offset_ms as f64 / speed) as u64;
            let post = convert::post(&item.kind, id.clone());
            Message { class: class_of(&post), body: body(&post, &sender, at_ms), id }
        })
        .collect()
}

/// Draws an id without a pattern, the same in each run.
fn drawn_id(random: &mut u64) -> MessageId {
    let mut digit = || {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(ID_DIGITS[(*random >> 33) as usize % ID_DIGITS.len()])
    };
    (0..8).map(|_| digit()).collect::<String>().parse().expect("the digits are those of ids")
}

fn class_of(post: &Post) -> Class {
    match post {
        Post::Gift { .. } | Post::SuperChat { .. } => Class::Gift,
        Post::Chat { .. } | Post::Like { .. } | Post::Reaction { .. } => Class::Chat,
    }
}

/// Writes the body of a post as an uplink does: the post with its sender and its time.
fn body(post: &Post, sender: &str, at_ms: u64) -> String {
    let post = serde_json::to_value(post).expect("posts are plain data");
    let fields = post.as_object().cloned().unwrap_or_default();
    let hash = sender.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let user = format!("replay-{:010x}", hash & 0xff_ffff_ffff);
    let mut parts = vec![part("type", &fields["type"]), part("id", &fields["id"])];
    parts.extend([part("user", &json!(user)), part("name", &json!(sender))]);
    let own = ["text", "gift", "amount_minor", "currency", "style"];
    let is_shown = |key: &&str| fields.contains_key(*key) && !(*key == "style" && is_default(&fields));
    parts.extend(own.iter().filter(|key| is_shown(key)).map(|key| part(key, &fields[*key])));
    parts.push(part("at_ms", &json!(at_ms)));
    format!("{{{}}}", parts.join(","))
}

fn part(key: &str, value: &Value) -> String {
    format!("\"{key}\":{value}")
}

fn is_default(fields: &Map<String, Value>) -> bool {
    fields["style"] == serde_json::to_value(Style::default()).expect("styles are plain data")
}

/// Adds up the frames of all batches of so many messages.
fn measure(messages: &[Message], batch: usize) -> anyhow::Result<Bytes> {
    let room: RoomId = "demo".parse().expect("the id is well formed");
    let (mut bytes, mut log, mut previous) = (Bytes::default(), LineLog::default(), START);
    for batch in messages.chunks(batch) {
        let sequence = previous + batch.len() as u64;
        let writer = BatchWriter {
            previous: Sequence(previous),
            sequence: Sequence(sequence),
            ..BatchWriter::default()
        };
        let numbered = (previous + 1..).map(Sequence).zip(batch);
        let mut json = Vec::new();
        let items = numbered.clone().map(|(sequence, Message { class, body, .. })| BatchItem {
            sequence,
            class: *class,
            body: body.as_bytes(),
        });
        writer.write(&mut json, &room, items);
        for (sequence, Message { class, id, body }) in numbered {
            let item = LineItem { sequence, class: *class, id: Some(id), body: body.as_bytes() };
            ensure!(log.push(item), "a body has no line: {body}");
        }
        let mut lines = log.batch(&writer, batch.len(), TRAIL_BYTES_MAX).context("the log has the batch")?;
        let trail = lines.take_trail();
        let alone = framed(lines.alone(EFFORT).len());
        bytes.json += framed(json.len());
        bytes.deflated +=
            framed(if json.len() < DEFLATE_BYTES_MIN { json.len() } else { deflate(&json, EFFORT).len() });
        bytes.newcomer += alone;
        bytes.lines += if trail.is_empty() { alone } else { framed(lines.behind(&trail, EFFORT).len()) };
        log.trim(Sequence(sequence), TRAIL_BYTES_MAX);
        previous = sequence;
    }
    Ok(bytes)
}

/// Bytes of a frame of a server with a payload of this size.
fn framed(payload: usize) -> usize {
    payload
        + match payload {
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_danmaku_of_the_demo_has_at_most_25_bytes() {
        let recording = barrage_recording::parse(barrage_recording::DEMO, &Limits::default()).unwrap();
        let messages = messages(&recording, 100.0);
        let of = |batch| {
            let bytes = measure(&messages, batch).unwrap();
            println!("batches of {batch}: {bytes:?} of {} messages", messages.len());
            let each = |bytes: usize| bytes as f64 / messages.len() as f64;
            (each(bytes.lines), each(bytes.newcomer), each(bytes.deflated))
        };
        let (lines, newcomer, deflated) = of(10);
        assert!(lines <= 25.0, "{lines} bytes");
        assert!(lines < newcomer && newcomer < deflated, "{lines} {newcomer} {deflated}");
        // A quiet room sends each message alone.
        assert!(of(1).0 <= 38.0 && of(50).0 <= 22.0);
    }

    #[test]
    fn bodies_are_those_of_an_uplink() {
        let id: MessageId = "x".parse().unwrap();
        let chat = Post::styled_chat(id.clone(), "hi", Style::default());
        let plain = body(&chat, "Ann", 7);
        assert!(plain.starts_with(r#"{"type":"chat","id":"x","user":"replay-"#), "{plain}");
        assert!(plain.ends_with(r#"","name":"Ann","text":"hi","at_ms":7}"#), "{plain}");
        let red = Post::styled_chat(id, "hi", Style { color: 255, ..Style::default() });
        let style = r#","style":{"#;
        assert!(body(&red, "Ann", 7).contains(style) && !plain.contains(style));
    }
}
