//! The examples of the Rust client work against a real server.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::post::Outcome;
use barrage_testkit::{RawSocket, wait};
use parking_lot::Mutex;

use crate::support::{MESSAGES, chat, start};

#[path = "../../../client/examples/bot.rs"]
mod bot;
#[path = "../../../client/examples/embed.rs"]
mod embed;
#[path = "../../../client/examples/inbox.rs"]
mod inbox;
#[path = "../../../client/examples/moderate.rs"]
mod moderate;
#[path = "../../../client/examples/post.rs"]
mod post;
#[path = "../../../client/examples/watch.rs"]
mod watch;

/// Longest wait for an effect of an example.
const EFFECT_MAX: Duration = Duration::from_secs(20);

/// Output of an example that other tasks can read.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn watch_prints_the_message_of_post() {
    let server = start().await;
    let entry = format!("http://{}", server.public);
    let token = server.token("ann", "demo", "viewer").await;
    let output = Output::default();
    let printed = async |text: &str| {
        let expected = format!("{text:?} in the output");
        wait::until_true(EFFECT_MAX, &expected, async || {
            String::from_utf8_lossy(&output.0.lock()).contains(text)
        })
        .await;
    };
    let test = async {
        printed("joined demo").await;
        let answer = post::run(&entry, "demo", &token, "hello from post").await.unwrap();
        assert_eq!(answer.outcome, Outcome::Broadcast);
        printed("hello from post").await;
    };
    let mut out = output.clone();
    tokio::select! {
        ended = watch::run(&entry, "demo", &mut out) => panic!("the example ended: {ended:?}"),
        () = test => {}
    }
}

#[tokio::test]
async fn bot_answers_a_ping() {
    let server = start().await;
    let entry = format!("http://{}", server.public);
    let (user, bot) =
        (server.token("ann", "demo", "viewer").await, server.token("bot", "demo", "viewer").await);
    let test = async {
        let mut viewer = RawSocket::joined(server.public, "demo").await;
        wait::until_true(EFFECT_MAX, "the bot in the room", async || {
            server.metric("barrage_gateway_connections").await >= 2.0
        })
        .await;
        assert_eq!(server.post(MESSAGES, &user, chat("c1", "!ping")).await.status, 200);
        let answered = async {
            loop {
                let batch = viewer.next_batch().await;
                if batch.messages.iter().any(|message| message.body.get().contains("pong, ann")) {
                    return;
                }
            }
        };
        wait::within(EFFECT_MAX, "the answer of the bot", answered).await;
    };
    tokio::select! {
        ended = bot::run(&entry, "demo", &bot) => panic!("the example ended: {ended:?}"),
        () = test => {}
    }
}

#[tokio::test]
async fn embed_draws_the_newest_comments() {
    let server = start().await;
    let entry = format!("http://{}", server.public);
    let token = server.token("ann", "demo", "viewer").await;
    let post = async {
        wait::until_true(EFFECT_MAX, "the example in the room", async || {
            server.metric("barrage_gateway_connections").await >= 1.0
        })
        .await;
        for n in 0..12 {
            let post = chat(&format!("c{n}"), &format!("comment {n}"));
            assert_eq!(server.post(MESSAGES, &token, post).await.status, 200);
        }
    };
    let mut drawn = embed::Feed::default();
    let draw = |feed: &embed::Feed| {
        drawn = feed.clone();
        !feed.comments.back().is_some_and(|comment| comment.ends_with("comment 11"))
    };
    let example = embed::run(&entry, "demo", Duration::from_millis(20), draw);
    let both = async { tokio::join!(example, post).0.unwrap() };
    wait::within(EFFECT_MAX, "the newest comment on the screen", both).await;
    assert_eq!(drawn.comments.len(), 10, "{drawn:?}");
    assert!(drawn.comments[0].ends_with("ann: comment 2") && drawn.online >= 1, "{drawn:?}");
}

#[tokio::test]
async fn moderate_mutes_the_sender_of_a_forbidden_word() {
    let server = start().await;
    let entry = format!("http://{}", server.public);
    let (user, token) =
        (server.token("ann", "demo", "viewer").await, server.token("mia", "demo", "moderator").await);
    let test = async {
        wait::until_true(EFFECT_MAX, "the example in the room", async || {
            server.metric("barrage_gateway_connections").await >= 1.0
        })
        .await;
        assert_eq!(server.post(MESSAGES, &user, chat("c1", "a scam")).await.status, 200);
        let mut n = 0;
        wait::until_true(EFFECT_MAX, "the mute of the sender", async || {
            n += 1;
            server.post(MESSAGES, &user, chat(&format!("d{n}"), &format!("hello {n}"))).await.code()
                == "muted"
        })
        .await;
    };
    tokio::select! {
        ended = moderate::run(&entry, "demo", &token, "scam") => panic!("the example ended: {ended:?}"),
        () = test => {}
    }
}

#[tokio::test]
async fn inbox_prints_letters_once_also_those_of_its_absence() {
    let server = start().await;
    let entry = format!("http://{}", server.public);
    let (ann, bob) = (server.token("ann", "*", "viewer").await, server.token("bob", "*", "viewer").await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inbox.json");
    let output = Output::default();
    for text in ["first", "second"] {
        let letter = serde_json::json!({ "type": "text", "id": text, "text": text }).to_string();
        assert_eq!(server.post("/v1/users/bob/messages", &ann, letter).await.status, 200);
        let printed = wait::until_true(EFFECT_MAX, "the letter in the output", async || {
            String::from_utf8_lossy(&output.0.lock()).contains(&format!("ann: {text}\n"))
        });
        let mut out = output.clone();
        // Each start continues where the one before ended.
        tokio::select! {
            ended = inbox::run(&entry, &bob, &file, &mut out) => panic!("the example ended: {ended:?}"),
            () = printed => {}
        }
    }
    let printed = String::from_utf8_lossy(&output.0.lock()).into_owned();
    assert_eq!(printed.matches("ann: first").count(), 1, "{printed}");
}
