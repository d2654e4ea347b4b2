//! The operator console's page and its admin routes.

use std::time::Duration;

use barrage_testkit::{Server, wait};
use serde_json::{Value, json};

use crate::support::{MESSAGES, chat, gift, start};

const PATIENCE: Duration = Duration::from_secs(20);

/// Gets a path of an address, and returns status, headers and body.
async fn get(address: std::net::SocketAddr, path: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.headers().clone(), answer.text().await.unwrap())
}

async fn ask(server: &Server, path: &str, token: &str) -> Value {
    let answer = server.admin("GET", path, token, &Value::Null).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

#[tokio::test]
async fn console_is_served_on_the_admin_listener_alone() {
    let server = start().await;
    let (status, headers, html) = get(server.admin, "/console/").await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!headers.contains_key("set-cookie"));
    for file in html.split("\"./").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(get(server.admin, &format!("/console/{file}")).await.0, 200, "{file}");
        assert_eq!(get(server.public, &format!("/console/{file}")).await.0, 404, "{file}");
    }
    assert_eq!(get(server.public, "/console/").await.0, 404);
    let above = ["/console", "..", "..", "Cargo.toml"].join("/");
    assert_eq!(get(server.admin, &above).await.0, 404);
}

#[tokio::test]
async fn overview_joins_registry_processes_and_settings() {
    let server = start().await;
    let token = server.token("boss", "*", "admin").await;
    let overview = ask(&server, "/overview", &token).await;
    let instances = overview["instances"].as_array().unwrap();
    let roles: Vec<_> = instances.iter().map(|instance| instance["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["gateway", "uplink", "entry"]);
    for instance in instances {
        assert_eq!(instance["process"], 0, "all roles share one process");
        assert!(instance["state"]["version"].is_string(), "{instance}");
    }
    assert_eq!(overview["not_asked"], json!([]));
    assert_eq!(overview["switches"].as_array().unwrap().len(), 11);
    assert_eq!(overview["rooms_total"], 1);
    wait::until_true(PATIENCE, "a weight of the gateway", async || {
        ask(&server, "/overview", &token).await["instances"][0]["weight"].is_number()
    })
    .await;
}

#[tokio::test]
async fn relayed_call_reaches_its_instance_and_is_recorded_once() {
    let server = start().await;
    let token = server.token("boss", "*", "admin").await;
    let overview = ask(&server, "/overview", &token).await;
    let uplink = overview["instances"][1]["id"].as_str().unwrap();
    let switch = format!("/instances/uplink/{uplink}/switches/no-likes");
    let set = server.admin("PUT", &switch, &token, &json!({ "value": true })).await;
    assert_eq!((set.status, &set.body["switches"][0]["value"]), (200, &json!(true)));
    let wrong = server.admin("PUT", &switch, &token, &json!({ "value": 7 })).await;
    assert_eq!(wrong.status, 400, "the refusal of the instance is the answer: {wrong:?}");
    for (path, expected) in [
        ("/instances/gateway/nobody/drain", 404),
        (&*format!("/instances/uplink/{uplink}/tokens/revoke"), 404),
        (&*format!("/instances/uplink/{uplink}/switches/%2e%2e/%2e%2e/rooms"), 404),
    ] {
        let refused = server.admin("POST", path, &token, &json!({ "all": true })).await;
        assert_eq!(refused.status, expected, "{path}: {refused:?}");
    }
    let audit = format!("/instances/uplink/{uplink}/audit?action=switch&actor=boss");
    wait::until_true(PATIENCE, "the audit line", async || {
        ask(&server, &audit, &token).await["lines"].as_array().unwrap().len() >= 2
    })
    .await;
    let lines = ask(&server, &audit, &token).await["lines"].clone();
    let paths: Vec<_> = lines.as_array().unwrap().iter().map(|line| &line["detail"]["path"]).collect();
    assert_eq!(paths, ["/v1/admin/switches/no-likes"; 2], "one line for each call");
    let others = ask(&server, "/audit?action=switch&actor=mei", &token).await;
    assert_eq!(others["lines"], json!([]));
}

#[tokio::test]
async fn message_report_has_the_checks_and_the_room_is_tailed() {
    let server = start().await;
    let (token, ann) = (server.token("boss", "*", "admin").await, server.token("ann", "demo", "host").await);
    let no_end = server.admin("GET", "/rooms/demo/tail", &token, &Value::Null).await;
    assert_eq!(no_end.status, 400, "{no_end:?}");
    let unknown = server.admin("GET", "/rooms/nowhere/tail?secs=5", &token, &Value::Null).await;
    assert_eq!(unknown.status, 404);
    let url = format!("http://{}/v1/admin/rooms/demo/tail?secs=2", server.admin);
    let tail = reqwest::Client::new().get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(tail.headers()["content-type"], "text/event-stream");
    let posted = server.post(MESSAGES, &ann, gift("g-1")).await;
    assert_eq!(posted.status, 200, "{posted:?}");
    for n in 0..60 {
        server.post(MESSAGES, &ann, chat(&format!("c-{n}"), &format!("text {n}"))).await;
    }
    let events = wait::within(PATIENCE, "the end of the tail", tail.text()).await.unwrap();
    assert!(
        events.contains("event: message\ndata: {\"sequence\":")
            && events.ends_with("event: end\ndata: {}\n\n")
    );
    let first = events.split("data: ").nth(1).unwrap().lines().next().unwrap();
    let first: Value = serde_json::from_str(first).unwrap();
    assert_eq!(
        (&first["class"], &first["id"], &first["sender"]),
        (&json!("gift"), &json!("g-1"), &json!("ann"))
    );
    assert_eq!(first["body"]["gift"]["name"], "rose");

    let report = ask(&server, "/messages/g-1", &token).await;
    assert_eq!((&report["uplinks_asked"], &report["gateways_asked"]), (&json!(1), &json!(1)));
    let post = &report["posts"][0]["post"];
    assert_eq!((&post["user"], &post["outcome"]), (&json!("ann"), &json!("broadcast")));
    assert!(!post["steps"].as_array().unwrap().is_empty());
    assert_eq!(report["posts"][0]["fan_outs"], json!([]), "no viewer was in the room");
    assert_eq!(ask(&server, "/messages/never", &token).await["posts"], json!([]));
}
