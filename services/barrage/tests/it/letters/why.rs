//! `barrage why` finds letters by their ids.

use barrage_testkit::Server;
use serde_json::{Value, json};

use super::person::{Person, letter};
use crate::support::{barrage, start, text_of};

async fn why(server: &Server, arguments: &[&str]) -> String {
    let (data_dir, admin) = (server.data_dir().display().to_string(), format!("http://{}", server.admin));
    let words = [&["--data-dir", &data_dir, "why"], arguments, &["--admin", &admin]].concat();
    text_of(&barrage(server.data_dir(), &words).await)
}

#[tokio::test]
async fn way_of_a_letter_is_explained_by_its_id() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let sent = ann.write("bob", "m1", "a secret text").await;
    bob.inbox_after(&sent).await;
    let said = why(&server, &["m1"]).await;
    let head = format!("letter by ann to {}, at ", sent["conversation"].as_str().unwrap());
    assert!(said.contains(&head) && said.contains(&format!("position {}", sent["sequence"])), "{said}");
    assert!(said.contains("=> accepted; item 1 of the conversation\n"), "{said}");
    assert!(!said.contains("secret"), "texts are in no explanation: {said}");
    let blocked = bob.done("PUT", "/v1/blocks/ann", Value::Null).await;
    bob.inbox_after(&blocked).await;
    let place = format!("/v1/conversations/{}/recall", sent["conversation"].as_str().unwrap());
    let recalled = ann.done("POST", &place, json!({ "position": 1 })).await;
    ann.inbox_after(&recalled).await;
    assert_eq!(ann.refused("POST", "/v1/users/bob/messages", letter("m2", "x")).await, "blocked");
    let said = why(&server, &["m2"]).await;
    assert!(said.contains("=> blocked: one of the two users blocks the other"), "{said}");
    let found: Value = serde_json::from_str(&why(&server, &["m1", "--output", "json"]).await).unwrap();
    let place = &found["data"]["letters"][0]["place"];
    assert_eq!(*place, json!({ "state": "item", "position": 1, "recalled": true }), "{found}");
    assert!(why(&server, &["never"]).await.contains("has not seen that id lately"));
}
