//! Two users write to each other.

use serde_json::{Value, json};

use super::person::{Person, letter, only, texts};
use crate::support::start;

#[tokio::test]
async fn letter_of_a_stranger_is_a_request_until_it_is_answered() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let first = ann.write("bob", "m1", "hello").await;
    assert_eq!(first["outcome"], "accepted");
    let again = ann.write("bob", "m1", "hello").await;
    assert_eq!((&again["outcome"], &again["sequence"]), (&json!("duplicate"), &first["sequence"]));
    assert_eq!(ann.refused("POST", "/v1/users/bob/messages", letter("m1", "other")).await, "conflict");
    let inbox = bob.inbox_after(&first).await;
    let request = only(&inbox);
    assert_eq!((&request["folder"], &request["unread"]), (&json!("request"), &json!(1)));
    assert_eq!((&request["peer"], &inbox["unread"]), (&json!("ann"), &json!(0)), "requests do not count");
    let item = &request["items"][0];
    assert_eq!((&item["body"]["text"], &item["body"]["name"]), (&json!("hello"), &json!("ann")));
    assert_eq!((&item["position"], &item["id"]), (&json!(1), &Value::Null), "the id is the sender's alone");
    assert_eq!(only(&ann.inbox_after(&first).await)["items"][0]["id"], "m1");
    ann.write("bob", "m2", "hello?").await;
    ann.write("bob", "m3", "hello??").await;
    assert_eq!(ann.refused("POST", "/v1/users/bob/messages", letter("m4", "x")).await, "requests_only");
    let conversation = first["conversation"].as_str().unwrap();
    let answer = bob.post(conversation, "b1", "hi").await;
    let inbox = bob.since(&inbox["cursor"], &answer).await;
    let accepted = only(&inbox);
    assert_eq!((&accepted["folder"], &accepted["unread"]), (&Value::Null, &json!(3)), "{inbox}");
    assert_eq!(inbox["unread"], 3);
    let last = ann.write("bob", "m5", "there you are").await;
    assert_eq!(bob.inbox_after(&last).await["unread"], 4);
    let items = bob.items(conversation).await;
    assert_eq!(texts(&items), ["hello", "hello?", "hello??", "hi", "there you are"]);
}

#[tokio::test]
async fn reads_recalls_hidden_items_and_views_reach_other_devices() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let everyone = json!({ "policy": "everyone", "receipts": "shown" });
    bob.done("PUT", "/v1/inbox/preferences", everyone).await;
    let mut sent = Value::Null;
    for n in 1..=4 {
        sent = ann.write("bob", &format!("m{n}"), &format!("text {n}")).await;
    }
    let conversation = sent["conversation"].as_str().unwrap().to_owned();
    let phone = bob.inbox_after(&sent).await;
    assert_eq!((phone["unread"].as_u64(), phone["reset"].as_bool()), (Some(4), Some(true)));
    let desktop = phone["cursor"].clone();
    // Nothing has changed: a tiny answer.
    let path = format!("/v1/inbox?cursor={}", desktop.as_str().unwrap());
    let nothing = bob.done("GET", &path, Value::Null).await;
    assert!(nothing.to_string().len() <= 120, "{nothing}");
    let reads = json!({ "reads": [{ "conversation": conversation, "position": 2 },
        { "conversation": conversation, "position": 3 }] });
    assert_eq!(bob.done("POST", "/v1/inbox/reads", reads).await["within_ms"], 200);
    let place = format!("/v1/conversations/{conversation}");
    bob.done("POST", &format!("{place}/hide"), json!({ "position": 1 })).await;
    ann.done("POST", &format!("{place}/recall"), json!({ "position": 4 })).await;
    let view = json!({ "pinned": true, "notify": "none" });
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let last = bob.done("PATCH", &place, view).await;
    let synced = bob.since(&desktop, &last).await;
    let seen = only(&synced);
    assert_eq!((seen["read"].as_u64(), seen["pinned"].as_bool()), (Some(3), Some(true)), "{synced}");
    // The recalled item keeps its place and its count, and the muted conversation is in no total.
    assert_eq!((seen["unread"].as_u64(), synced["unread"].as_u64()), (Some(1), Some(0)));
    assert_eq!(synced["hidden"], json!([{ "conversation": conversation, "position": 1 }]));
    let items = bob.items(&conversation).await;
    assert_eq!(texts(&items), ["text 2", "text 3"]);
    assert_eq!((&items[2]["recalled"], &items[3]["recalls"]), (&json!(true), &json!(4)), "{items:?}");
    assert_eq!(texts(&ann.items(&conversation).await), ["text 1", "text 2", "text 3"]);
    let places = ann.done("GET", &format!("{place}/read"), Value::Null).await;
    assert_eq!(places, json!({ "read": 0, "peer_read": 3 }));
    let hidden = bob.done("PUT", "/v1/inbox/preferences", json!({ "receipts": "hidden" })).await;
    bob.inbox_after(&hidden).await;
    let places = ann.done("GET", &format!("{place}/read"), Value::Null).await;
    assert_eq!(places, json!({ "read": 0 }));
    let cleared = bob.done("POST", &format!("{place}/clear"), json!({ "position": 5 })).await;
    bob.inbox_after(&cleared).await;
    assert!(bob.items(&conversation).await.is_empty());
}

#[tokio::test]
async fn blocked_users_and_strangers_by_the_rules_are_refused() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let blocked = bob.done("PUT", "/v1/blocks/ann", Value::Null).await;
    bob.inbox_after(&blocked).await;
    assert_eq!(ann.refused("POST", "/v1/users/bob/messages", letter("m1", "x")).await, "blocked");
    let shown = bob.done("GET", "/v1/inbox/preferences", Value::Null).await;
    assert_eq!(shown["blocked"], json!(["ann"]));
    let ended = bob.done("DELETE", "/v1/blocks/ann", Value::Null).await;
    bob.inbox_after(&ended).await;
    let known = bob.done("PUT", "/v1/inbox/preferences", json!({ "policy": "known" })).await;
    bob.inbox_after(&known).await;
    let cat = Person::new(&server, "cat").await;
    assert_eq!(cat.refused("POST", "/v1/users/bob/messages", letter("m1", "x")).await, "requests_only");
    // A backend's token needs no answer first.
    let admin = server.token("shop", "*", "admin").await;
    let path = "/v1/users/bob/messages";
    assert_eq!(server.call("POST", path, &admin, &letter("m1", "Your parcel")).await.status, 200);
}

#[tokio::test]
async fn packages_are_whole_and_a_long_inbox_comes_in_pages() {
    let server = start().await;
    let ann = Person::new(&server, "ann").await;
    let admin = server.token("news", "*", "admin").await;
    let mut last = Value::Null;
    for n in 0..7 {
        let letters: Vec<_> = (0..n + 1).map(|k| letter(&format!("m{k}"), &format!("text {k}"))).collect();
        let path = format!("/v1/users/user-{n}/packages");
        let sent = server.call("POST", &path, &admin, &json!({ "letters": letters })).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        last = sent.body["answers"].as_array().unwrap().last().unwrap().clone();
    }
    let news = Person { token: admin, user: "news".into(), ..ann };
    let mut page = news.inbox_after(&last).await;
    assert_eq!(page["conversations"].as_array().unwrap().len(), 7);
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = match cursor.as_str() {
            "" => "/v1/inbox?limit=3".to_owned(),
            _ => format!("/v1/inbox?limit=3&cursor={cursor}"),
        };
        page = news.done("GET", &path, Value::Null).await;
        let found = page["conversations"].as_array().cloned().unwrap_or_default();
        seen.extend(found.iter().map(|one| one["peer"].as_str().unwrap().to_owned()));
        cursor = page["cursor"].as_str().unwrap().to_owned();
        pages += 1;
        if page["more"].is_null() {
            break;
        }
        if pages == 1 {
            // What changes between two pages comes after the last one.
            news.inbox_after(&news.write("user-0", "late", "late").await).await;
        }
    }
    let expected: Vec<_> = (0..7).rev().map(|n| format!("user-{n}")).collect();
    let late = news.done("GET", &format!("/v1/inbox?cursor={cursor}"), Value::Null).await;
    assert_eq!(only(&late)["peer"], "user-0");
    seen.sort();
    seen.dedup();
    // The conversation that moved to the top between two pages is in the sync behind them.
    assert_eq!((seen.len(), pages), (expected.len() - 1, 2), "{seen:?}");
}
