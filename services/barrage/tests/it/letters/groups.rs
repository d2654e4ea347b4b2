//! Groups: members, roles, bounds of reading.

use serde_json::{Value, json};

use super::person::{Person, letter, only, texts};
use super::privacy::export;
use crate::support::start;

#[tokio::test]
async fn members_read_from_their_join_to_their_leaving() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let made = ann.done("POST", "/v1/groups", json!({ "title": "Fans", "room": "demo" })).await;
    assert_eq!((&made["in_force"], &made["group"]["role"]), (&json!(true), &json!("owner")), "{made}");
    let group = made["conversation"].as_str().unwrap().to_owned();
    let (path, items) = (format!("/v1/groups/{group}"), format!("/v1/conversations/{group}/messages"));
    ann.post(&group, "a1", "before").await;
    assert_eq!(bob.refused("POST", &items, letter("b0", "x")).await, "not_member");
    assert_eq!(bob.refused("GET", &items, Value::Null).await, "not_member");
    let joined = bob.done("POST", &format!("{path}/join"), Value::Null).await;
    assert_eq!((&joined["group"]["joined"], &joined["group"]["members"]), (&json!(true), &json!(2)));
    let mention = json!({ "type": "text", "id": "a2", "text": "hello @bob", "mentions": ["bob"] });
    let sent = ann.done("POST", &items, mention).await;
    let inbox = bob.inbox_after(&sent).await;
    let seen = only(&inbox);
    assert_eq!((seen["unread"].as_u64(), inbox["unread"].as_u64()), (Some(1), Some(1)), "{inbox}");
    assert_eq!((&seen["mentions"], &seen["group"]["title"]), (&json!([2]), &json!("Fans")));
    // A group's item writes no row of its members: the next sync finds it by the lane.
    let more = ann.post(&group, "a3", "more").await;
    assert_eq!(only(&bob.since(&inbox["cursor"], &more).await)["unread"], 2);
    bob.done("POST", &format!("{path}/leave"), Value::Null).await;
    ann.inbox_after(&ann.post(&group, "a4", "after").await).await;
    assert_eq!(texts(&bob.items(&group).await), ["hello @bob", "more"]);
    let admin = server.token("op", "*", "admin").await;
    let lines = export(&server, &admin, "bob").await;
    let exported: Vec<_> = lines.into_iter().filter(|line| line["line"] == "item").collect();
    assert_eq!(texts(&exported), ["hello @bob", "more"], "an export has what the member may read");
    assert_eq!(bob.refused("POST", &items, letter("b1", "x")).await, "not_member");
    assert_eq!(ann.refused("POST", &format!("{path}/leave"), Value::Null).await, "forbidden");
}

#[tokio::test]
async fn roles_bound_what_members_may_do() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let cat = Person::new(&server, "cat").await;
    let settings = json!({ "title": "Crew", "join": "ask", "history": "all" });
    let made = ann.done("POST", "/v1/groups", settings).await;
    let group = made["conversation"].as_str().unwrap().to_owned();
    let (path, items) = (format!("/v1/groups/{group}"), format!("/v1/conversations/{group}/messages"));
    ann.post(&group, "a1", "first").await;
    let asked = bob.done("POST", &format!("{path}/join"), Value::Null).await;
    assert_eq!((&asked["group"]["role"], &asked["group"]["joined"]), (&json!("applicant"), &json!(false)));
    assert_eq!(bob.refused("GET", &format!("{path}/members"), Value::Null).await, "not_member");
    let members = ann.done("GET", &format!("{path}/members"), Value::Null).await;
    assert_eq!(members["members"].as_array().unwrap().len(), 2, "the owner sees the applicant");
    let role = |role: &str| json!({ "role": role });
    ann.done("PUT", &format!("{path}/members/bob"), role("member")).await;
    assert_eq!(texts(&bob.items(&group).await), ["first"]);
    assert_eq!(bob.refused("PATCH", &path, json!({ "title": "Mine" })).await, "forbidden");
    assert_eq!(bob.refused("DELETE", &path, Value::Null).await, "forbidden");
    ann.done("PUT", &format!("{path}/members/bob"), role("muted")).await;
    assert_eq!(bob.refused("POST", &items, letter("b1", "x")).await, "muted");
    let banned = ann.done("PUT", &format!("{path}/members/bob"), role("banned")).await;
    assert_eq!(banned["group"]["members"], 1);
    assert_eq!(bob.refused("GET", &items, Value::Null).await, "not_member");
    assert_eq!(bob.refused("POST", &format!("{path}/join"), Value::Null).await, "forbidden");
    ann.done("PATCH", &path, json!({ "join": "open", "slow_mode_secs": 600 })).await;
    let joined = cat.done("POST", &format!("{path}/join"), Value::Null).await;
    assert_eq!(joined["group"]["settings"]["title"], "Crew");
    let listed = async |person: &Person<'_>| {
        let page = person.done("GET", &format!("{path}/members"), Value::Null).await;
        let mut users: Vec<_> =
            page["members"].as_array().unwrap().iter().map(|it| it["user"].clone()).collect();
        users.sort_by_key(Value::to_string);
        json!(users)
    };
    assert_eq!(listed(&cat).await, json!(["ann", "cat"]), "a plain member sees no banned user");
    assert_eq!(listed(&ann).await, json!(["ann", "bob", "cat"]));
    cat.post(&group, "c1", "one").await;
    cat.post(&group, "c1", "one").await;
    assert_eq!(cat.refused("POST", &items, letter("c2", "two")).await, "slow_mode");
    let package = json!({ "letters": [letter("c3", "three"), letter("c4", "four")] });
    let packages = format!("/v1/conversations/{group}/packages");
    assert_eq!(cat.refused("POST", &packages, package).await, "slow_mode", "a package is several items");
    ann.post(&group, "a2", "the owner is not slowed").await;
    let gone = ann.done("DELETE", &path, Value::Null).await;
    assert_eq!((&gone["in_force"], &gone["group"]), (&json!(true), &Value::Null));
    assert_eq!(cat.refused("GET", &path, Value::Null).await, "not_found");
}
