//! `kill -9` neither loses nor duplicates accepted gifts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use barrage_testkit::{Server, ServerOptions, wait};
use serde_json::Value;

use crate::support::{BINARY, MESSAGES, gift};

const ROUNDS: u64 = 20;
const SENDERS: u64 = 4;

/// Posts gifts until `stop` is set or the server is gone. Returns the accepted ids with their
/// sequences.
async fn post_gifts(
    server: Arc<Server>,
    token: String,
    prefix: String,
    stop: Arc<AtomicBool>,
) -> Vec<(String, u64)> {
    let mut accepted = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("{prefix}.{n}");
        let Some(answer) = server.try_post(MESSAGES, &token, gift(&id)).await else { break };
        if answer.status == 200 {
            assert_eq!(answer.body["outcome"], "broadcast", "a new id must not be a duplicate");
            accepted.push((id, answer.body["sequence"].as_u64().unwrap()));
        }
    }
    accepted
}

/// Reads the whole history: the sequences of each id.
async fn whole_history(server: &Server) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = server.get(&format!("/v1/rooms/demo/history?after={after}&limit=1000")).await;
        assert_eq!(page.status, 200);
        for message in page.body["messages"].as_array().unwrap() {
            after = message["sequence"].as_u64().unwrap();
            found.entry(message["body"]["id"].as_str().unwrap().to_owned()).or_default().push(after);
        }
        if page.body["more"] != Value::Bool(true) {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_accepted_gift_is_in_the_history_once_after_kills() {
    let dir = tempfile::tempdir().unwrap();
    let options = ServerOptions { data_dir: Some(dir.path().join("data")), ..ServerOptions::default() };
    let mut accepted: BTreeMap<String, u64> = BTreeMap::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..ROUNDS {
        let server = Arc::new(Server::start(BINARY, options.clone()).await);
        let stop = Arc::new(AtomicBool::new(false));
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..SENDERS {
            let token = server.token(&format!("u{sender}"), "demo", "viewer").await;
            let prefix = format!("g{round}.{sender}");
            senders.spawn(post_gifts(Arc::clone(&server), token, prefix, Arc::clone(&stop)));
        }
        // xorshift: another delay in each round, the same delays in each run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(Duration::from_millis(20 + random % 150)).await;
        server.kill_by_id().await;
        stop.store(true, Ordering::Relaxed);
        for list in senders.join_all().await {
            accepted.extend(list);
        }
    }
    assert!(accepted.len() > 200, "only {} gifts were accepted, too few for the test", accepted.len());
    let server = Server::start(BINARY, options).await;
    let newest = *accepted.values().max().unwrap();
    wait::until_true(Duration::from_secs(20), "the newest gift in the history", async || {
        let history = whole_history(&server).await;
        history.values().flatten().any(|sequence| *sequence >= newest)
    })
    .await;
    let history = whole_history(&server).await;
    for (id, sequence) in &accepted {
        assert_eq!(history.get(id), Some(&vec![*sequence]), "gift {id}");
    }
    assert!(history.values().all(|sequences| sequences.len() == 1), "a gift is there twice");
}
