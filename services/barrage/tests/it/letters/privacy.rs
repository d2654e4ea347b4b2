//! Reports with evidence, erase and export of a user.

use std::time::Duration;

use barrage_testkit::{Server, wait};
use serde_json::{Value, json};

use super::person::{Person, letter, only, texts};
use crate::support::{start, start_with};

/// People of an export: more than a page of conversations.
const PEERS: usize = 310;
/// Packages of 64 letters to one of them: more than a page of items.
const PACKAGES: usize = 17;

/// Returns the lines of an export.
pub(super) async fn export(server: &Server, admin: &str, user: &str) -> Vec<Value> {
    let url = format!("http://{}/v1/admin/users/{user}/inbox/export", server.admin);
    let answer = reqwest::Client::new().get(url).bearer_auth(admin).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn report_keeps_what_the_reporter_saw() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let admin = server.token("op", "*", "admin").await;
    let sent = ann.write("bob", "m1", "an insult").await;
    bob.inbox_after(&sent).await;
    let conversation = sent["conversation"].as_str().unwrap();
    let report = json!({ "user": "ann", "conversation": conversation, "reason": "rude" });
    let made = bob.done("POST", "/v1/reports", report.clone()).await;
    assert_eq!(made["duplicate"], false);
    // A second report of another conversation has the ten newest of its eleven items.
    let dan = Person { server: &server, user: "dan".into(), token: server.token("dan", "*", "admin").await };
    let letters: Vec<_> = (1..=11).map(|n| letter(&format!("d{n}"), &format!("text {n}"))).collect();
    let answers = dan.done("POST", "/v1/users/bob/packages", json!({ "letters": letters })).await;
    let last = &answers["answers"][10];
    bob.inbox_after(last).await;
    let many = json!({ "user": "dan", "conversation": last["conversation"], "reason": "floods" });
    bob.done("POST", "/v1/reports", many).await;
    let path = format!("/v1/conversations/{conversation}/recall");
    let recalled = ann.done("POST", &path, json!({ "position": 1 })).await;
    bob.inbox_after(&recalled).await;
    assert_eq!(
        bob.done("POST", "/v1/reports", report.clone()).await,
        json!({ "report": made["report"], "duplicate": true })
    );
    let cat = Person::new(&server, "cat").await;
    assert_eq!(cat.refused("POST", "/v1/reports", report).await, "not_member");
    let list = server.admin("GET", "/reports?open=true", &admin, &Value::Null).await.body;
    let evidence = texts(list["reports"][0]["evidence"].as_array().unwrap());
    assert_eq!((evidence.len(), evidence[0], evidence[9]), (10, "text 2", "text 11"), "{list}");
    let found = &list["reports"][1];
    assert_eq!((&found["user"], &found["reporter"]), (&json!("ann"), &json!("bob")), "{list}");
    assert_eq!(found["evidence"][0]["body"]["text"], "an insult");
    let close = format!("/reports/{}/close", made["report"]);
    let note = json!({ "note": "muted for a day" });
    assert_eq!(server.admin("POST", &close, &admin, &note).await.status, 200);
    assert_eq!(server.admin("POST", &close, &admin, &note).await.code(), "not_found");
    let list = server.admin("GET", "/reports?open=true", &admin, &Value::Null).await.body;
    assert_eq!(list["reports"].as_array().map(Vec::len), Some(1), "{list}");
    let list = server.admin("GET", "/reports?open=false", &admin, &Value::Null).await.body;
    assert_eq!(
        (&list["reports"][0]["closed_by"], &list["reports"][0]["note"]),
        (&json!("op"), &note["note"])
    );
}

#[tokio::test]
async fn erase_takes_the_texts_and_the_groups_and_moves_no_unread() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let admin = server.token("op", "*", "admin").await;
    ann.done("PUT", "/v1/blocks/eve", Value::Null).await;
    let group = ann.done("POST", "/v1/groups", json!({ "title": "Fans" })).await["conversation"].clone();
    let group = group.as_str().unwrap();
    bob.done("POST", &format!("/v1/groups/{group}/join"), Value::Null).await;
    ann.post(group, "g1", "to the group").await;
    ann.write("bob", "m1", "one").await;
    let sent = ann.write("bob", "m2", "two").await;
    // Only who has a letter can answer it.
    bob.inbox_after(&sent).await;
    let answer = bob.post(sent["conversation"].as_str().unwrap(), "b1", "three").await;
    let before = bob.inbox_after(&answer).await;
    assert_eq!(before["unread"], 3);
    let lines = export(&server, &admin, "ann").await;
    let items: Vec<_> = lines.iter().filter(|line| line["line"] == "item").cloned().collect();
    assert_eq!(lines[0]["user"], "ann");
    assert_eq!(lines[0]["blocked"], json!(["eve"]));
    assert_eq!(texts(&items).len(), 4, "{lines:?}");
    let erased = server.admin("POST", "/users/ann/inbox/erase", &admin, &Value::Null).await.body;
    let pseudonym = erased["pseudonym"].as_str().unwrap_or_default().to_owned();
    let expected =
        json!({ "user": "ann", "groups": 1, "blocks": 1, "items": 3, "more": false, "pseudonym": pseudonym });
    assert_eq!(erased, expected);
    assert!(pseudonym.starts_with("erased:") && !pseudonym.contains("ann"), "{pseudonym}");
    wait::until_true(Duration::from_secs(10), "a group that is deleted", async || {
        bob.call("GET", &format!("/v1/groups/{group}"), Value::Null).await.status == 404
    })
    .await;
    let after = bob.since(&before["cursor"], &answer).await;
    // The deleted group counts no more; the letters keep their places and counts.
    assert_eq!(
        (after["unread"].as_u64(), only(&after)["deleted"].as_bool()),
        (Some(2), Some(true)),
        "{after}"
    );
    assert_eq!(texts(&bob.items(sent["conversation"].as_str().unwrap()).await), ["three"]);
    // Nothing that others read has the id.
    let fresh = bob.done("GET", "/v1/inbox", Value::Null).await;
    assert_eq!(only(&fresh)["peer"], pseudonym.as_str(), "{fresh}");
    assert!(!fresh.to_string().contains("ann"), "{fresh}");
    assert_eq!(export(&server, &admin, "ann").await, Vec::<Value>::new());
    // The id is never used again, by itself or by others.
    assert_eq!(ann.refused("POST", "/v1/users/bob/messages", letter("m3", "me again")).await, "forbidden");
    let conversation = format!("/v1/conversations/{}/messages", sent["conversation"].as_str().unwrap());
    for path in ["/v1/users/ann/messages", &format!("/v1/users/{pseudonym}/messages"), &conversation] {
        assert_eq!(bob.refused("POST", path, letter("b2", "are you there")).await, "forbidden", "{path}");
    }
    let again = server.admin("POST", "/users/ann/inbox/erase", &admin, &Value::Null).await.body;
    assert_eq!((&again["items"], &again["groups"]), (&json!(0), &json!(0)));
    let nobody = server.admin("POST", "/users/nobody/inbox/erase", &admin, &Value::Null).await;
    assert_eq!(nobody.status, 200);
}

/// An export goes over pages of conversations and of items, and an erase hides what the user has read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_has_every_page_and_an_erase_hides_read_places() {
    let server = start_with(&[
        ("INBOX__LIMITS__NEW_CONVERSATIONS_PER_HOUR", "10000"),
        ("UPLINK__LIMITS__USER_PER_S", "100000"),
        ("UPLINK__LIMITS__ADDRESS_PER_S", "100000"),
        ("MODERATION__REPEAT__USER_TIMES_MAX", "0"),
    ])
    .await;
    let admin = server.token("op", "*", "admin").await;
    // Trusted, so that nobody has to answer first.
    let bob = Person { server: &server, user: "bob".into(), token: server.token("bob", "*", "admin").await };
    let ann = Person::new(&server, "ann").await;
    for first in (0..PEERS).step_by(50) {
        let letters = (first..PEERS.min(first + 50)).map(|peer| bob.write_owned(format!("peer{peer}"), "p1"));
        futures_util::future::join_all(letters).await;
    }
    let mut sent = Value::Null;
    for package in 0..PACKAGES {
        let letters: Vec<_> = (0..64).map(|n| letter(&format!("a{package}.{n}"), "hello")).collect();
        sent = bob.done("POST", "/v1/users/ann/packages", json!({ "letters": letters })).await;
    }
    let last = &sent["answers"][63];
    let inbox = ann.inbox_after(last).await;
    let conversation = only(&inbox)["conversation"].as_str().unwrap().to_owned();
    let lines = export(&server, &admin, "bob").await;
    let count = |kind: &str| lines.iter().filter(|line| line["line"] == kind).count();
    assert_eq!((count("conversation"), count("item")), (PEERS + 1, PEERS + PACKAGES * 64));
    let read = json!({ "reads": [{ "conversation": conversation, "position": 7 }] });
    ann.done("POST", "/v1/inbox/reads", read).await;
    let read_by_ann = async || {
        let places = bob.done("GET", &format!("/v1/conversations/{conversation}/read"), Value::Null).await;
        places["peer_read"].as_u64()
    };
    let seen = "the place that the other user has read";
    wait::until_true(Duration::from_secs(10), seen, async || read_by_ann().await == Some(7)).await;
    // More hidden items than an answer has rows: the device begins anew.
    let hide = format!("/v1/conversations/{conversation}/hide");
    ann.done("POST", &hide, json!({ "position": 8 })).await;
    let hidden = ann.done("POST", &hide, json!({ "position": 9 })).await;
    let cursor = inbox["cursor"].as_str().unwrap();
    let (sequence, lane) = (&hidden["sequence"], &hidden["lane"]);
    for (limit, is_reset) in [(3, false), (2, true)] {
        let path = format!("/v1/inbox?cursor={cursor}&limit={limit}&at_least={sequence}&lane={lane}");
        let answer = ann.done("GET", &path, Value::Null).await;
        assert_eq!(answer["reset"] == true, is_reset, "{answer}");
        assert_eq!(answer["hidden"].as_array().map_or(0, Vec::len), if is_reset { 0 } else { 2 }, "{answer}");
    }
    let erased = server.admin("POST", "/users/ann/inbox/erase", &admin, &Value::Null).await.body;
    assert_eq!(erased["more"], false, "{erased}");
    assert_eq!(read_by_ann().await, None, "what an erased user has read is shown to nobody");
}

/// A block, a mention or a role would give the id a row in the tables again.
#[tokio::test]
async fn erased_id_is_named_by_nobody_any_more() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let admin = server.token("op", "*", "admin").await;
    ann.write("bob", "m1", "one").await;
    bob.done("PUT", "/v1/blocks/ann", Value::Null).await;
    let group = bob.done("POST", "/v1/groups", json!({ "title": "Fans" })).await["conversation"].clone();
    let group = group.as_str().unwrap();
    let erased = server.admin("POST", "/users/ann/inbox/erase", &admin, &Value::Null).await.body;
    let pseudonym = erased["pseudonym"].as_str().unwrap().to_owned();
    assert_eq!(bob.refused("PUT", "/v1/blocks/ann", Value::Null).await, "forbidden");
    assert_eq!(bob.refused("DELETE", "/v1/blocks/ann", Value::Null).await, "forbidden");
    assert_eq!(bob.refused("PUT", &format!("/v1/blocks/{pseudonym}"), Value::Null).await, "forbidden");
    let role = json!({ "role": "moderator" });
    let member = format!("/v1/groups/{group}/members/ann");
    assert_eq!(bob.refused("PUT", &member, role).await, "forbidden");
    let post = json!({ "type": "text", "id": "p1", "text": "hello", "mentions": ["ann", pseudonym] });
    let sent = bob.done("POST", &format!("/v1/conversations/{group}/messages"), post).await;
    bob.inbox_after(&sent).await;
    // The block of before is one of the pseudonym, which ends by its name.
    let kept = bob.done("GET", "/v1/inbox/preferences", Value::Null).await;
    assert_eq!(kept["blocked"], json!([pseudonym]));
    let ended = bob.done("DELETE", &format!("/v1/blocks/{pseudonym}"), Value::Null).await;
    bob.inbox_after(&ended).await;
    assert_eq!(bob.done("GET", "/v1/inbox/preferences", Value::Null).await["blocked"], json!([]));
    // An export has a line for each inbox that there is.
    assert_eq!(export(&server, &admin, "ann").await, Vec::<Value>::new());
}
