//! Requests and answers of every operation fit their schemas.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use barrage_testkit::process::free_address;
use barrage_testkit::{Server, wait};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::requests::{Case, acting, admin, letters, media, public};
use super::validator::{Exchange, check};
use crate::support::start_with;

/// Operations whose answer is no single JSON document, and which other tests exercise.
const OTHERS: [&str; 10] = [
    "dplayer_send",
    "room_watch",
    "room_stream",
    "inbox_watch",
    "inbox_stream",
    "room_tail",
    "tunnel_send",
    "openapi_show",
    "entry_probe",
    "upload_offset",
];

/// Returns the method of an operation.
fn method(document: &Value, operation: &str) -> String {
    let paths = document["paths"].as_object().unwrap().values();
    let mut methods = paths.flat_map(|methods| methods.as_object().unwrap());
    let found = methods.find(|(_, described)| described["operationId"] == operation);
    found.unwrap_or_else(|| panic!("no operation {operation}")).0.to_uppercase()
}

async fn send(base: &str, document: &Value, token: &str, (operation, path, body): Case) -> Exchange {
    let method = method(document, operation).parse().unwrap();
    let mut request = reqwest::Client::new().request(method, format!("{base}{path}")).bearer_auth(token);
    // Fields of tus, which other routes ignore.
    request = request.header("tus-resumable", "1.0.0").header("upload-length", "5");
    if !body.is_null() {
        request = request.body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let is_json = answer.headers().get(CONTENT_TYPE).is_some_and(|value| value == "application/json");
    let answer = if is_json { answer.json().await.unwrap() } else { Value::Null };
    Exchange { operation, status, request: body, answer }
}

async fn exchanges(server: &Server, media_at: SocketAddr, document: &Value) -> Vec<Exchange> {
    let viewer = server.token("v", "*", "viewer").await;
    let token = server.token("a", "*", "admin").await;
    let mut exchanges = Vec::new();
    for case in public() {
        exchanges.push(send(&format!("http://{}", server.public), document, &viewer, case).await);
    }
    wait::until_true(Duration::from_secs(20), "a message in the history", async || {
        let history = server.get("/v1/rooms/demo/history").await;
        history.body["messages"].as_array().is_some_and(|messages| !messages.is_empty())
    })
    .await;
    for case in media() {
        exchanges.push(send(&format!("http://{media_at}"), document, &viewer, case).await);
    }
    for case in letters() {
        exchanges.push(send(&format!("http://{}", server.public), document, &token, case).await);
    }
    for case in acting() {
        exchanges.push(send(&format!("http://{}", server.public), document, &token, case).await);
    }
    for case in admin() {
        exchanges.push(send(&format!("http://{}", server.admin), document, &token, case).await);
    }
    exchanges
}

#[tokio::test]
async fn requests_and_answers_of_every_operation_fit_the_document() {
    let media_at = free_address();
    let server = start_with(&[("MEDIA__LISTEN", &format!("[\"{media_at}\"]"))]).await;
    let url = format!("http://{}/v1/openapi.json", server.admin);
    let document: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let public = server.get("/v1/openapi.json").await.body;
    let exchanges = exchanges(&server, media_at, &document).await;
    let tried: BTreeSet<_> = exchanges.iter().map(|exchange| exchange.operation).chain(OTHERS).collect();
    let methods = document["paths"].as_object().unwrap().values();
    let all = methods.flat_map(|methods| methods.as_object().unwrap().values());
    let all: BTreeSet<_> = all.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(tried, all, "each operation has a request here");
    let succeeded = exchanges.iter().filter(|exchange| exchange.status < 300).count();
    assert!(succeeded > 40, "{succeeded} of {} requests succeeded", exchanges.len());
    check(&[document, public], &exchanges).await;
}
