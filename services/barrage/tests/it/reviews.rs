//! Reviews of a whole server: `kill -9` between an approval and its answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_testkit::{Server, ServerOptions};
use serde_json::{Value, json};

use crate::support::{BINARY, MESSAGES, chat};

const ROUNDS: usize = 5;

async fn decide(server: &Server, token: &str, review: &str, decision: &str) -> Option<(u16, Value)> {
    let path = format!("/v1/rooms/demo/reviews/{review}");
    let answer = server.try_post(&path, token, json!({ "decision": decision }).to_string()).await?;
    Some((answer.status, answer.body))
}

/// Sends messages to review and approves each, until the server is gone. Returns the reviews, with the
/// sequence of those that were answered.
async fn approve_until_killed(
    server: Arc<Server>,
    ann: String,
    moderator: String,
    round: usize,
) -> Vec<(String, Option<Value>)> {
    let mut reviews = Vec::new();
    for n in 0.. {
        let post = chat(&format!("{round}-{n}"), &format!("a leak {round} {n}"));
        let Some(held) = server.try_post(MESSAGES, &ann, post).await else { break };
        let review = held.body["review"].as_str().unwrap_or_else(|| panic!("{held:?}")).to_owned();
        let answer = decide(&server, &moderator, &review, "approve").await;
        let is_gone = answer.is_none();
        let sequence = answer.map(|(status, body)| {
            assert_eq!((status, &body["duplicate"]), (200, &json!(false)), "{body}");
            body["sequence"].clone()
        });
        reviews.push((review, sequence));
        if is_gone {
            break;
        }
    }
    reviews
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_message_appears_once_after_kills() {
    let dir = tempfile::tempdir().unwrap();
    let limits = ["USER_PER_S", "ADDRESS_PER_S"]
        .map(|limit| (format!("BARRAGE_UPLINK__LIMITS__{limit}"), "100000".to_owned()));
    let data_dir = Some(dir.path().join("data"));
    let options = ServerOptions { environment: limits.into(), data_dir, ..ServerOptions::default() };
    let mut server = Arc::new(Server::start(BINARY, options.clone()).await);
    let (ann, moderator) =
        (server.token("ann", "demo", "viewer").await, server.token("mod", "demo", "moderator").await);
    let rules = json!({ "rules": [{ "name": "ask", "words": ["leak"], "action": "review" }] });
    let url = format!("http://{}/v1/rooms/demo/words", server.public);
    let put = reqwest::Client::new().put(url).bearer_auth(&moderator).json(&rules).send().await.unwrap();
    assert_eq!(put.status(), 200);
    let (mut answered, mut random) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    let mut reviews = Vec::new();
    for round in 0..ROUNDS {
        let approving =
            tokio::spawn(approve_until_killed(Arc::clone(&server), ann.clone(), moderator.clone(), round));
        // xorshift: another delay in each round, the same delays in each run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(Duration::from_millis(100 + random % 150)).await;
        server.kill_by_id().await;
        let sent = approving.await.unwrap();
        drop(server);
        server = Arc::new(Server::start(BINARY, options.clone()).await);
        // The words and the queue have survived: the retry decides what waits, or finds what was decided.
        for (review, sequence) in sent {
            let (status, body) = decide(&server, &moderator, &review, "approve").await.unwrap();
            assert_eq!(status, 200, "{body}");
            if let Some(sequence) = sequence {
                assert_eq!((&body["duplicate"], &body["sequence"]), (&json!(true), &sequence));
                answered += 1;
            }
            reviews.push(body["sequence"].as_u64().unwrap());
        }
    }
    println!("{answered} of {} approvals were answered before a kill", reviews.len());
    assert!(answered > 0, "too few for the test");
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = server.get(&format!("/v1/rooms/demo/poll?after={after}&wait=0")).await.body;
        for message in page["messages"].as_array().unwrap() {
            if let Some(id) = message["body"]["id"].as_str() {
                *shown.entry(id.to_owned()).or_default() += 1;
            }
        }
        let reached = page["sequence"].as_u64().unwrap();
        if reached == after {
            break;
        }
        after = reached;
    }
    assert!(shown.values().all(|times| *times == 1), "{shown:?}");
    assert!(shown.len() <= reviews.len(), "{} of {}", shown.len(), reviews.len());
    reviews.sort_unstable();
    reviews.dedup();
    assert!(reviews.len() >= shown.len(), "each has a position of its own");
}
