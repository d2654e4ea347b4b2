//! A recording at high speed to 200 viewers: a generated one, and a real one where the folder that
//! `BARRAGE_RECORDINGS` names contains it.

use std::io::Write;
use std::path::PathBuf;

use barrage_protocol::frame::ServerFrame;
use barrage_protocol::{Class, Sequence};
use barrage_recording::generate::{self, PROFILES};
use barrage_recording::{ItemKind, Limits};
use barrage_testkit::{Frame, RawSocket};
use serde_json::json;

use crate::support::start;

const VIEWERS: usize = 200;
/// Messages between two gifts. Recordings of videos have no gifts, so the test adds them.
const GIFT_EVERY: usize = 20;

/// Messages that one viewer received between its hello and the last message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    gifts: Vec<String>,
    chats: u64,
    dropped: u64,
}

/// Receives batches until the message `last_id`. Panics when the chain of positions is broken.
async fn watch(mut socket: RawSocket, start: Sequence, last_id: String) -> Seen {
    let mut seen = Seen::default();
    let mut position = start;
    loop {
        let batch = socket.next_batch().await;
        assert_eq!(batch.previous, position, "a batch is missing");
        position = batch.sequence;
        seen.dropped += batch.left_out.chat;
        let mut ended = false;
        for message in &batch.messages {
            let body: serde_json::Value = serde_json::from_str(message.body.get()).unwrap();
            let id = body["id"].as_str().unwrap().to_owned();
            ended |= id == last_id;
            match message.class {
                Class::Gift => seen.gifts.push(id),
                Class::Chat => seen.chats += 1,
                other => panic!("a message of the class {other:?} was not posted"),
            }
        }
        if ended {
            return seen;
        }
    }
}

/// The recording: bursts of 126 messages in a second.
const NAME: &str = "vod-concert-burst";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_viewer_gets_each_gift_once_in_order_and_each_chat_or_its_drop_count() {
    let profile = PROFILES.iter().find(|profile| profile.name == NAME).unwrap();
    play_to_viewers(&generate::recording(profile, 1).bytes).await;
    let folder = std::env::var_os("BARRAGE_RECORDINGS").filter(|folder| !folder.is_empty());
    let real = folder.map(|folder| PathBuf::from(folder).join(NAME).with_extension("xml"));
    let played = match real.filter(|real| real.is_file()) {
        Some(real) => {
            play_to_viewers(&std::fs::read(&real).unwrap()).await;
            format!("the generated {NAME} and {} were played", real.display())
        }
        None => format!("only the generated {NAME} was played: BARRAGE_RECORDINGS names no folder with it"),
    };
    // Written to the real stderr, because the test harness hides the output of a test that passes.
    drop(writeln!(std::io::stderr(), "{played}"));
}

/// Posts a recording in packages of 64 messages and checks the messages of all viewers.
async fn play_to_viewers(bytes: &[u8]) {
    let recording = barrage_recording::parse(bytes, &Limits::default()).unwrap();
    let server = start().await;
    let token = server.token("u1", "demo", "host").await;
    let mut watching = tokio::task::JoinSet::new();
    for viewer in 0..VIEWERS {
        let encoding = if viewer % 2 == 0 { "barrage.v1.deflate" } else { "barrage.v1.json" };
        let headers = [("Sec-WebSocket-Protocol", encoding)];
        let mut socket = RawSocket::connect(server.public, "/v1/rooms/demo/ws", &headers).await.unwrap();
        socket.send_text(r#"{"type":"join"}"#).await;
        let Frame::Protocol(ServerFrame::Hello(hello), _) = socket.next().await else { panic!("no hello") };
        watching.spawn(watch(socket, hello.sequence, "end".into()));
    }

    let mut posts = Vec::new();
    let (mut gifts, mut chats) = (Vec::new(), 0);
    for (index, item) in recording.items.iter().enumerate() {
        if let ItemKind::Chat { text, .. } = &item.kind {
            posts.push(json!({ "type": "chat", "id": format!("c{index}"), "text": text }));
            chats += 1;
        }
        if index % GIFT_EVERY == 0 {
            gifts.push(format!("g{index}"));
            posts.push(json!({ "type": "gift", "id": format!("g{index}"), "gift": { "name": "rocket", "count": 1 } }));
        }
    }
    gifts.push("end".into());
    posts.push(json!({ "type": "gift", "id": "end", "gift": { "name": "end", "count": 1 } }));
    assert!(chats > 1_000, "the recording has {chats} messages, too few for the test");
    for package in posts.chunks(64) {
        let answer =
            server.post("/v1/rooms/demo/packages", &token, json!({ "messages": package }).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    let all = watching.join_all().await;
    assert_eq!(all.len(), VIEWERS);
    for seen in all {
        assert_eq!(seen.gifts, gifts);
        assert_eq!(seen.chats + seen.dropped, chats);
    }
}
