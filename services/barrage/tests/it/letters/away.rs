//! The database is down: letters are accepted and wait; rooms notice nothing.

use std::time::Duration;

use barrage_testkit::{PostgresServer, Server, ServerOptions, wait};
use serde_json::Value;

use super::person::{Person, letter, only, texts};
use crate::support::{BINARY, MESSAGES, chat, start_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_wait_while_postgres_hangs() {
    let postgres = PostgresServer::start().await;
    let environment = vec![
        ("BARRAGE_POSTGRES__URL".to_owned(), postgres.url("postgres")),
        ("BARRAGE_POSTGRES__CALL_TIMEOUT_MS".to_owned(), "2000".to_owned()),
        ("BARRAGE_INBOX__LIMITS__ACCESS_AGE_MS".to_owned(), "0".to_owned()),
    ];
    let server = Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let first = ann.write("bob", "m1", "before").await;
    assert_eq!(only(&bob.inbox_after(&first).await)["unread"], 1);
    postgres.pause();
    let began = std::time::Instant::now();
    let waiting = ann.write("bob", "m2", "while it hangs").await;
    assert!(began.elapsed() < Duration::from_millis(1_500), "a letter waited for the database");
    assert_eq!(waiting["outcome"], "accepted");
    assert_eq!(ann.write("bob", "m2", "while it hangs").await["outcome"], "duplicate");
    assert_eq!(server.post(MESSAGES, &ann.token, chat("c1", "rooms go on")).await.status, 200);
    let inbox = bob.call("GET", "/v1/inbox", Value::Null).await;
    assert_eq!((inbox.status, inbox.code()), (503, "unavailable"), "{inbox:?}");
    assert!(inbox.retry_after.is_some());
    postgres.resume();
    wait::until_true(Duration::from_secs(20), "the letter that waited", async || {
        let items = bob.call("GET", &format!("/v1/conversations/{}/messages", id(&first)), Value::Null).await;
        items.status == 200 && items.body["items"].as_array().is_some_and(|items| items.len() == 2)
    })
    .await;
    assert_eq!(texts(&bob.items(id(&first)).await), ["before", "while it hangs"]);
}

fn id(answer: &Value) -> &str {
    answer["conversation"].as_str().unwrap()
}

#[tokio::test]
async fn lane_that_is_full_refuses_with_a_time_to_come_back() {
    // The lane keeps what the tables have taken for an hour, and holds 1,000 events.
    let server = start_with(&[("INBOX__LANE_ENTRIES_MAX", "1000")]).await;
    let admin = server.token("news", "*", "admin").await;
    let mut refused = None;
    for n in 0..20 {
        let letters: Vec<_> = (0..64).map(|k| letter(&format!("m{n}.{k}"), "news")).collect();
        let body = serde_json::json!({ "letters": letters });
        let answer = server.call("POST", "/v1/users/bob/packages", &admin, &body).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a full lane");
    assert_eq!((refused.status, refused.code()), (503, "inbox_behind"), "{refused:?}");
    assert!(refused.retry_after.is_some());
}
