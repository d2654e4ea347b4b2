//! Mutes of letters: by moderation, which outlive the server, and by operators.

use barrage_testkit::{Server, ServerOptions};
use serde_json::{Value, json};

use super::person::{Person, letter};
use crate::support::BINARY;

#[tokio::test]
async fn mute_by_moderation_outlives_the_server_until_an_operator_lifts_it() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("words.txt");
    std::fs::write(&list, "badword\n").unwrap();
    let lists = format!(r#"[{{name="words",file="{}",action="refuse"}}]"#, list.display());
    let environment = [("MODERATION__LISTS", lists.as_str()), ("MODERATION__ESCALATION__HITS", "1")];
    let environment = environment.map(|(name, value)| (format!("BARRAGE_{name}"), value.to_owned())).into();
    let data_dir = Some(folder.path().join("data"));
    let options = ServerOptions { environment, data_dir, ..ServerOptions::default() };
    let server = Server::start(BINARY, options.clone()).await;
    let ann = Person::new(&server, "ann").await;
    let write = "/v1/users/bob/messages";
    assert_eq!(ann.refused("POST", write, letter("m1", "a badword here")).await, "bad_text");
    assert_eq!(ann.refused("POST", write, letter("m2", "hello")).await, "muted");
    server.kill_by_id().await;

    let server = Server::start(BINARY, options).await;
    let (ann, cat) = (Person { server: &server, ..ann }, Person::new(&server, "cat").await);
    let refused = ann.call("POST", write, letter("m2", "hello")).await;
    assert_eq!((refused.status, refused.code()), (403, "muted"), "{refused:?}");
    let group = ann.done("POST", "/v1/groups", json!({ "title": "Fans" })).await["conversation"].clone();
    let items = format!("/v1/conversations/{}/messages", group.as_str().unwrap());
    assert_eq!(ann.refused("POST", &items, letter("g1", "hello")).await, "muted", "groups, too");
    cat.write("ann", "c1", "others are not muted").await;

    let admin = server.token("op", "*", "admin").await;
    let letters = "/rooms/barrage-letters";
    let listed = server.admin("GET", &format!("{letters}/restrictions"), &admin, &Value::Null).await.body;
    assert_eq!(listed["restrictions"][0]["user"], "ann", "{listed}");
    let act = async |action: &str, body: Value| {
        server.admin("POST", &format!("{letters}/{action}"), &admin, &body).await
    };
    assert_eq!(act("unmute", json!({ "user": "ann" })).await.status, 200);
    ann.write("bob", "m3", "again").await;
    assert_eq!(act("mute", json!({ "user": "cat", "secs": 60 })).await.status, 200);
    assert_eq!(cat.refused("POST", write, letter("c2", "hello")).await, "muted");
    // Letters have no viewers who could be removed, and no room may have their id.
    assert_eq!(act("kick", json!({ "user": "cat", "secs": 60 })).await.code(), "unknown_room");
    for id in ["barrage-letters", "barrage-groups"] {
        let made = server.admin("PUT", &format!("/rooms/{id}"), &admin, &json!({})).await;
        assert_eq!((made.status, made.code()), (400, "bad_request"), "{made:?}");
    }
}
