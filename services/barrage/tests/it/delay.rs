//! The moderation delay: viewers get a room later than its moderators, and never what was hidden meanwhile.

use std::time::{Duration, Instant};

use barrage_protocol::Sequence;
use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket, Server, wait};
use serde_json::{Value, json};

use crate::support::{MESSAGES, chat, start_with};

/// Longest wait for an effect.
const EFFECT_MAX: Duration = Duration::from_secs(20);
/// Text of a super chat that is hidden before viewers see it.
const HIDDEN: &str = "hidden words";
/// Delay of the room.
const DELAY: Duration = Duration::from_secs(3);

async fn act(server: &Server, token: &str, id: &str, action: Value) {
    let request = json!({ "id": id, "action": action }).to_string();
    let answer = server.post("/v1/rooms/demo/actions", token, request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn say(server: &Server, token: &str, id: &str) -> u64 {
    let answer = server.post(MESSAGES, token, chat(id, &format!("text of {id}"))).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("broadcast")), "{answer:?}");
    answer.body["sequence"].as_u64().unwrap()
}

/// Ids of chats and names of signals, in the order in which they came. None of them has a text that was hidden
/// under the delay.
fn names(messages: &[Value]) -> Vec<String> {
    for body in messages {
        assert!(!body.to_string().contains(HIDDEN), "{body}");
    }
    let name = |body: &Value| body["id"].as_str().or(body["signal"].as_str()).unwrap_or("?").to_owned();
    messages.iter().map(name).collect()
}

/// Reads batches until a message with this name comes; returns the names of all.
async fn read_until(socket: &mut RawSocket, last: &str) -> Vec<String> {
    let mut seen = Vec::new();
    wait::within(EFFECT_MAX, last, async {
        while !seen.iter().any(|name| name == last) {
            if let Frame::Protocol(ServerFrame::Batch(batch), _) = socket.next().await {
                let bodies: Vec<Value> = batch
                    .messages
                    .iter()
                    .map(|message| serde_json::from_str(message.body.get()).unwrap())
                    .collect();
                seen.extend(names(&bodies));
            }
        }
    })
    .await;
    seen
}

/// Names of what a poll from the beginning returns.
async fn polled(server: &Server) -> Vec<String> {
    let page = server.get("/v1/rooms/demo/poll?after=0&wait=0").await.body;
    let bodies: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|message| message["body"].clone()).collect();
    names(&bodies)
}

async fn history(server: &Server) -> Vec<String> {
    let page = server.get("/v1/rooms/demo/history?after=0&limit=100").await.body;
    let bodies: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|message| message["body"].clone()).collect();
    names(&bodies)
}

/// Posts until a viewer gets a message later than a moderator by the delay: the hub of the viewers reads the delay
/// within a second. Returns the ids of the posts, all of which both have seen.
async fn until_delayed(
    server: &Server,
    token: &str,
    viewer: &mut RawSocket,
    staff: &mut RawSocket,
) -> Vec<String> {
    let (mut ids, began) = (Vec::new(), Instant::now());
    while began.elapsed() < EFFECT_MAX {
        let id = format!("w{}", ids.len());
        let posted = Instant::now();
        say(server, token, &id).await;
        assert_eq!(read_until(staff, &id).await, [id.as_str()]);
        assert_eq!(read_until(viewer, &id).await, [id.as_str()]);
        ids.push(id);
        if posted.elapsed() >= DELAY {
            return ids;
        }
    }
    panic!("no delay within {EFFECT_MAX:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_get_the_room_later_and_never_what_was_hidden_meanwhile() {
    let server = start_with(&[("UPLINK__LIMITS__USER_PER_S", "1000")]).await;
    let (ann, bo) = (server.token("ann", "demo", "viewer").await, server.token("bo", "demo", "viewer").await);
    let moderator = server.token("mod", "demo", "moderator").await;
    let boss = server.token("boss", "*", "admin").await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    let mut early = RawSocket::join(server.public, "demo", Some(&moderator), None).await;
    say(&server, &ann, "before").await;
    assert_eq!(read_until(&mut viewer, "before").await, ["before"]);
    act(&server, &moderator, "d1", json!({ "type": "moderation_delay", "secs": DELAY.as_secs() })).await;
    let (_, code) = early.until_closed().await;
    assert_eq!(code, Some(4202), "a moderator reconnects for a view without the delay");
    let mut staff = RawSocket::join(server.public, "demo", Some(&moderator), None).await;
    assert!(matches!(staff.next().await, Frame::Protocol(ServerFrame::Hello(_), _)));
    assert_eq!(read_until(&mut viewer, "moderation_delay").await, ["moderation_delay"]);
    let shown_early = until_delayed(&server, &ann, &mut viewer, &mut staff).await;

    let posted = Instant::now();
    let first = say(&server, &ann, "m1").await;
    let second = say(&server, &ann, "m2").await;
    say(&server, &bo, "p1").await;
    assert_eq!(read_until(&mut staff, "p1").await, ["m1", "m2", "p1"]);
    assert!(posted.elapsed() < DELAY, "moderators have no delay: {:?}", posted.elapsed());
    // The signal that puts a super chat on top quotes it.
    let paid = json!({
        "type": "super_chat", "id": "s1", "text": HIDDEN, "amount_minor": 3_000, "currency": "EUR",
    });
    let paid = server.post(MESSAGES, &boss, paid.to_string()).await.body["sequence"].clone();
    act(&server, &boss, "x0", json!({ "type": "recall", "sequence": paid })).await;
    act(&server, &moderator, "x1", json!({ "type": "recall", "sequence": second })).await;
    act(&server, &moderator, "x2", json!({ "type": "purge", "user": "bo" })).await;
    say(&server, &ann, "m3").await;

    // Who joins, resumes, repairs, polls or reads the history meanwhile sees nothing of it.
    let mut joiner = RawSocket::join(server.public, "demo", None, Some(0)).await;
    let Frame::Protocol(ServerFrame::Hello(hello), _) = joiner.next().await else { panic!("no hello") };
    assert!(hello.sequence < Sequence(first), "{hello:?}");
    assert!(!serde_json::to_string(&hello).unwrap().contains(HIDDEN), "{hello:?}");
    joiner.send_text(r#"{"type":"repair","after":0,"before":9000000000000000}"#).await;
    let early = polled(&server).await;
    let shown = [&["before".into(), "moderation_delay".into()][..], &shown_early[..]].concat();
    assert_eq!(early, shown, "after {:?}", posted.elapsed());
    assert!(posted.elapsed() < DELAY, "too slow a machine for this test: {:?}", posted.elapsed());

    // The signals for what is shown already come ahead of their place, and then again.
    let seen = read_until(&mut viewer, "m3").await;
    let took = posted.elapsed();
    assert!(took >= DELAY, "{took:?}");
    let chats: Vec<_> = seen.iter().filter(|name| name.starts_with(['m', 'p']) && *name != "purge").collect();
    assert_eq!(chats, ["m1", "m3"], "{seen:?}");
    let joined = read_until(&mut joiner, "m3").await;
    assert!(!joined.iter().any(|name| name == "m2" || name == "p1"), "{joined:?}");
    assert!(joined.contains(&"m1".to_owned()), "{joined:?}");
    for (transport, names) in [
        ("poll", polled(&server).await),
        ("resume", {
            let mut late = RawSocket::join(server.public, "demo", None, Some(0)).await;
            read_until(&mut late, "m3").await
        }),
    ] {
        assert!(names.contains(&"m1".to_owned()), "{transport}: {names:?}");
        assert!(!names.iter().any(|name| name == "m2" || name == "p1"), "{transport}: {names:?}");
    }
    wait::until_true(EFFECT_MAX, "the history of viewers", async || {
        let names = history(&server).await;
        assert!(!names.iter().any(|name| name == "m2" || name == "p1"), "{names:?}");
        names.contains(&"m3".to_owned())
    })
    .await;

    // A recall of what viewers see does not wait.
    let recalled = Instant::now();
    act(&server, &moderator, "x3", json!({ "type": "recall", "sequence": first })).await;
    assert_eq!(read_until(&mut viewer, "recall").await.last().unwrap(), "recall");
    assert!(recalled.elapsed() < DELAY, "{:?}", recalled.elapsed());

    // Without the delay what waits appears at once.
    say(&server, &ann, "m4").await;
    let ended = Instant::now();
    act(&server, &moderator, "d2", json!({ "type": "moderation_delay", "secs": 0 })).await;
    read_until(&mut viewer, "m4").await;
    assert!(ended.elapsed() < DELAY, "{:?}", ended.elapsed());
}
