//! `kill -9` right after `accepted`: each accepted letter is in the inbox once, and unread numbers are those of a
//! recount.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_testkit::{Server, ServerOptions};
use serde_json::Value;

use super::person::{Person, letter};
use crate::support::BINARY;

const ROUNDS: u64 = 20;
const SENDERS: u64 = 3;

/// Sends letters until the server is gone. Returns the accepted ids with their answers.
async fn send_until_killed(server: Arc<Server>, token: String, prefix: String) -> Vec<(String, Value)> {
    let mut accepted = Vec::new();
    for n in 0.. {
        let id = format!("{prefix}.{n}");
        let body = letter(&id, &format!("letter {id}"));
        let Some(answer) = server.try_call("POST", "/v1/users/bob/messages", &token, &body).await else {
            break;
        };
        if answer.status == 200 {
            assert_eq!(answer.body["outcome"], "accepted", "a new id must not be a duplicate");
            accepted.push((id, answer.body));
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_accepted_letter_is_in_the_inbox_once_after_kills() {
    let dir = tempfile::tempdir().unwrap();
    let options = ServerOptions { data_dir: Some(dir.path().join("data")), ..ServerOptions::default() };
    let mut accepted: BTreeMap<String, Value> = BTreeMap::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..ROUNDS {
        let server = Arc::new(Server::start(BINARY, options.clone()).await);
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..SENDERS {
            // Trusted: no letter waits for an answer, and none is refused.
            let token = server.token(&format!("s{sender}"), "*", "admin").await;
            senders.spawn(send_until_killed(Arc::clone(&server), token, format!("{round}.{sender}")));
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(Duration::from_millis(10 + random % 90)).await;
        server.kill_by_id().await;
        accepted.extend(senders.join_all().await.into_iter().flatten());
    }
    assert!(accepted.len() > 100, "only {} letters were accepted, too few for the test", accepted.len());
    let server = Server::start(BINARY, options).await;
    let bob = Person::new(&server, "bob").await;
    let newest = accepted.values().max_by_key(|answer| answer["sequence"].as_u64()).unwrap();
    let inbox = bob.inbox_after(newest).await;
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut total = 0;
    for conversation in inbox["conversations"].as_array().unwrap() {
        let items = bob.items(conversation["conversation"].as_str().unwrap()).await;
        let positions: Vec<_> = items.iter().map(|item| item["position"].as_u64().unwrap()).collect();
        assert!(positions.iter().copied().eq(1..=items.len() as u64), "positions are dense: {positions:?}");
        assert_eq!(conversation["unread"].as_u64().unwrap(), items.len() as u64);
        total += items.len() as u64;
        for item in items {
            let text = item["body"]["text"].as_str().unwrap().to_owned();
            *found.entry(text).or_default() += 1;
        }
    }
    for id in accepted.keys() {
        assert_eq!(found.get(&format!("letter {id}")), Some(&1), "letter {id}");
    }
    assert!(found.values().all(|count| *count == 1), "a letter is there twice");
    assert_eq!(inbox["unread"].as_u64(), Some(total));
}
