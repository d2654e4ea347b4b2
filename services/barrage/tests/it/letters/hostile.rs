//! Input that no client of good will sends.

use std::sync::Arc;

use barrage_testkit::Server;
use serde_json::{Value, json};

use super::person::{Person, letter, only, texts};
use crate::support::{start, start_with};

#[tokio::test]
async fn forged_and_foreign_cursors_show_nothing_of_others() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let sent = ann.write("bob", "m1", "for bob alone").await;
    let theirs = bob.inbox_after(&sent).await;
    let cursor = theirs["cursor"].as_str().unwrap();
    for bad in ["x", "1-0-0-0", "AAAA", &cursor[1..], &format!("{cursor}A"), &"A".repeat(3_000)] {
        let code = ann.refused("GET", &format!("/v1/inbox?cursor={bad}"), Value::Null).await;
        assert_eq!(code, "bad_cursor", "{bad}");
    }
    // A device that has changed its user begins anew, with its own inbox.
    let cat = Person::new(&server, "cat").await;
    let reset = cat.done("GET", &format!("/v1/inbox?cursor={cursor}"), Value::Null).await;
    assert_eq!((&reset["reset"], &reset["conversations"]), (&json!(true), &Value::Null));
    let own = ann.done("GET", &format!("/v1/inbox?cursor={cursor}"), Value::Null).await;
    assert_eq!((&own["reset"], &only(&own)["peer"]), (&json!(true), &json!("bob")));
    for bad in ["limit=0", "limit=301", "top=51", "items=51", "top=50&items=50", "wait_secs=31", "what=1"] {
        let code = ann.refused("GET", &format!("/v1/inbox?{bad}"), Value::Null).await;
        assert_eq!(code, "bad_request", "{bad}");
    }
}

#[tokio::test]
async fn positions_and_ids_out_of_range_are_refused_and_change_nothing() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let sent = ann.write("bob", "m1", "hello").await;
    let conversation = sent["conversation"].as_str().unwrap();
    for route in ["recall", "hide", "clear"] {
        let path = format!("/v1/conversations/{conversation}/{route}");
        for bad in
            [json!(0), json!(-1), json!(1_u64 << 53), json!(u64::MAX), json!(1.5), json!("1"), Value::Null]
        {
            assert_eq!(bob.refused("POST", &path, json!({ "position": bad })).await, "bad_request", "{bad}");
        }
    }
    for route in ["recall", "hide"] {
        // Beyond the head: taken by the lane, and without an effect.
        let path = format!("/v1/conversations/{conversation}/{route}");
        bob.done("POST", &path, json!({ "position": 9 })).await;
    }
    let reads = |count: usize| {
        let one = json!({ "conversation": conversation, "position": 1 });
        json!({ "reads": vec![one; count] })
    };
    assert_eq!(bob.refused("POST", "/v1/inbox/reads", reads(101)).await, "bad_request");
    assert_eq!(bob.refused("POST", "/v1/inbox/reads", reads(0)).await, "bad_request");
    let direct = |a: &str| format!("d.{a}");
    let stranger = direct(&"0".repeat(32));
    for id in [stranger.as_str(), "g.nothing", conversation] {
        let cat = Person::new(&server, "cat").await;
        let path = format!("/v1/conversations/{id}/messages");
        assert_eq!(cat.refused("GET", &path, Value::Null).await, "not_member", "{id}");
        assert_eq!(cat.refused("POST", &path, letter("x", "x")).await, "not_member", "{id}");
    }
    for id in ["d.", "d.XYZ", "g.", "g.a.b", "x.1", "demo", "d.%2e", "g.%00", "g.*", "g.%3E"] {
        let path = format!("/v1/conversations/{id}/messages");
        assert_eq!(ann.refused("GET", &path, Value::Null).await, "bad_request", "{id}");
    }
    for user in ["a%20b", "%2A%3E", "a%2Fb", &"u".repeat(65), "%E5%BC%B9"] {
        let path = format!("/v1/users/{user}/messages");
        assert_eq!(ann.refused("POST", &path, letter("x", "x")).await, "bad_request", "{user}");
    }
    let last = ann.write("bob", "m2", "still here").await;
    let inbox = bob.inbox_after(&last).await;
    assert_eq!((only(&inbox)["unread"].as_u64(), only(&inbox)["head"].as_u64()), (Some(2), Some(2)));
}

#[tokio::test]
async fn letters_to_oneself_to_guests_and_by_guests_are_refused() {
    let server = start().await;
    let ann = Person::new(&server, "ann").await;
    assert_eq!(ann.refused("POST", "/v1/users/ann/messages", letter("m", "x")).await, "bad_request");
    assert_eq!(ann.refused("POST", "/v1/users/guest-1/messages", letter("m", "x")).await, "forbidden");
    assert_eq!(ann.refused("PUT", "/v1/blocks/ann", Value::Null).await, "bad_request");
    let guest = server.post("/v1/guest", "none", r#"{"name":"Eve"}"#).await;
    let token = guest.body["token"].as_str().unwrap();
    for (method, path) in [("POST", "/v1/users/ann/messages"), ("GET", "/v1/inbox"), ("POST", "/v1/groups")] {
        let answer = server.call(method, path, token, &letter("m", "x")).await;
        assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{method} {path}");
    }
    let answer = server.call("GET", "/v1/inbox", "no token", &Value::Null).await;
    assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
    for bad in [
        json!({}),
        json!({ "type": "text", "id": "m" }),
        json!({ "type": "image", "id": "m" }),
        json!({ "type": "text", "id": "a b", "text": "x" }),
        json!({ "type": "text", "id": "m", "text": "x", "unknown": 1 }),
    ] {
        assert_eq!(ann.refused("POST", "/v1/users/bob/messages", bad.clone()).await, "bad_request", "{bad}");
    }
    let empty = letter("m", "\u{200b}\u{202e}");
    assert_eq!(ann.refused("POST", "/v1/users/bob/messages", empty).await, "bad_text");
    let long = letter("m", &"x".repeat(2_001));
    assert_eq!(ann.refused("POST", "/v1/users/bob/messages", long).await, "bad_text");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_sent_often_at_once_is_one_letter() {
    let server = Arc::new(start().await);
    let token = server.token("ann", "*", "viewer").await;
    let send = |server: Arc<Server>, token: String| async move {
        server.call("POST", "/v1/users/bob/messages", &token, &letter("same", "once")).await
    };
    let sends = (0..300).map(|_| tokio::spawn(send(Arc::clone(&server), token.clone())));
    let mut accepted = Vec::new();
    for sent in sends.collect::<Vec<_>>() {
        let answer = sent.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        accepted.push(answer.body);
    }
    let first = accepted.iter().filter(|answer| answer["outcome"] == "accepted").count();
    assert_eq!(first, 1);
    assert!(accepted.iter().all(|answer| answer["sequence"] == accepted[0]["sequence"]));
    let bob = Person::new(&server, "bob").await;
    bob.inbox_after(&accepted[0]).await;
    let items = bob.items(accepted[0]["conversation"].as_str().unwrap()).await;
    assert_eq!(texts(&items), ["once"]);
}

#[tokio::test]
async fn limits_and_word_lists_hold_for_letters() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("words.txt");
    std::fs::write(&list, "badword\n").unwrap();
    let lists = format!(r#"[{{name="words",file="{}",action="refuse"}}]"#, list.display());
    let settings = [
        ("MODERATION__LISTS", lists.as_str()),
        ("INBOX__LIMITS__NEW_CONVERSATIONS_PER_HOUR", "3"),
        ("INBOX__LIMITS__NEW_GROUPS_PER_HOUR", "1"),
    ];
    let server = start_with(&settings).await;
    let ann = Person::new(&server, "ann").await;
    let bad = letter("m1", "a badword here");
    assert_eq!(ann.refused("POST", "/v1/users/bob/messages", bad).await, "bad_text");
    for n in 0..2 {
        ann.write(&format!("user-{n}"), "m1", &format!("hello number {n}")).await;
    }
    let code = ann.refused("POST", "/v1/users/user-9/messages", letter("m1", "hello number nine")).await;
    assert_eq!(code, "rate_limited");
    // People whom the user has written to before are no new ones.
    ann.write("user-0", "m2", "hello again").await;
    ann.done("POST", "/v1/groups", json!({ "title": "One" })).await;
    assert_eq!(ann.refused("POST", "/v1/groups", json!({ "title": "Two" })).await, "rate_limited");
    assert_eq!(ann.refused("POST", "/v1/groups", json!({ "title": "" })).await, "bad_text");
}

#[tokio::test]
async fn letters_pass_through_the_tunnel() {
    let server = start().await;
    let bob = Person::new(&server, "bob").await;
    let token = server.token("ann", "*", "viewer").await;
    let requests = [
        json!({ "method": "POST", "path": "/v1/users/bob/messages", "token": token,
            "body": letter("t1", "through") }),
        json!({ "method": "GET", "path": "/v1/inbox?wait_secs=20", "token": token }),
        json!({ "method": "GET", "path": "/v1/entry?room=demo" }),
    ];
    let mut body = Vec::new();
    for request in requests {
        let text = request.to_string();
        body.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    let url = format!("http://{}/v1/tunnel", server.public);
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap().bytes().await.unwrap();
    let (mut answers, mut rest) = (Vec::new(), &answer[..]);
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (one, after) = after.split_at(u32::from_be_bytes(*len) as usize);
        answers.push(serde_json::from_slice::<Value>(one).unwrap());
        rest = after;
    }
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 400], "{answers:?}");
    let inbox = bob.inbox_after(&answers[0]["body"]).await;
    assert_eq!(only(&inbox)["items"][0]["body"]["text"], "through");
}
