//! DPlayer's requests, exactly as DPlayer 1.27.1 sends them through axios, and what its page gets.

use std::time::Duration;

use barrage_testkit::{Server, wait};
use reqwest::header::{ACCEPT, CONTENT_TYPE, ORIGIN};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::start_with;

/// Page on another host that shows the player.
const PAGE: &str = "https://video.example";
const ADDRESS: &str = "/v1/rooms/demo/dplayer/";
const MARKUP: &str = "<img src=x onerror=\"alert('1')\">";

async fn server() -> Server {
    let origins = ("HTTP__ALLOWED_ORIGINS", r#"["https://video.example"]"#);
    start_with(&[origins, ("TOKEN__GUESTS", "true")]).await
}

/// DPlayer's request: `axios.post(address + "v3/", data)`.
async fn send(server: &Server, room: &str, data: Value) -> Response {
    let url = format!("http://{}/v1/rooms/{room}/dplayer/v3/", server.public);
    let request = reqwest::Client::new().post(url).header(ORIGIN, PAGE);
    let request = request.header(ACCEPT, "application/json, text/plain, */*");
    request.header(CONTENT_TYPE, "application/json").body(data.to_string()).send().await.unwrap()
}

/// DPlayer's request: `axios.get(address + "v3/?id=ID&max=MAX")`.
async fn read(server: &Server, query: &str) -> Value {
    let url = format!("http://{}{ADDRESS}v3/{query}", server.public);
    let response = reqwest::Client::new().get(url).header(ORIGIN, PAGE).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], PAGE);
    response.json().await.unwrap()
}

/// The data of the player's `send`, with its fields in its order.
fn data(token: &str, text: &str, kind: u8) -> Value {
    json!({
        "token": token, "id": "demo", "author": "DIYgod", "time": 12.345, "text": text, "color": 16_711_680, "type": kind,
    })
}

async fn guest(server: &Server) -> String {
    let body = json!({ "name": "Ann" }).to_string();
    server.post("/v1/guest", "", body).await.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn danmaku_of_a_guest_is_in_the_chain_once_and_is_read_escaped() {
    let server = server().await;
    let (guest, user) = (guest(&server).await, server.token("u1", "demo", "viewer").await);
    let first: Value = send(&server, "demo", data(&guest, MARKUP, 1)).await.json().await.unwrap();
    assert_eq!(first["code"], 0, "{first}");
    let again: Value = send(&server, "demo", data(&guest, MARKUP, 1)).await.json().await.unwrap();
    assert_eq!(first, again, "a retry is the same post");
    let bottom: Value = send(&server, "demo", data(&user, "下面 & more", 2)).await.json().await.unwrap();
    assert_eq!(bottom["code"], 0, "{bottom}");
    wait::until_true(Duration::from_secs(20), "both danmaku in the archive", async || {
        read(&server, "?id=demo&max=1000").await["data"].as_array().unwrap().len() == 2
    })
    .await;
    let all = read(&server, "?id=demo&max=1000").await;
    assert_eq!(all["code"], 0);
    let escaped = "&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;";
    assert_eq!(
        all["data"][0].as_array().unwrap()[1..],
        [json!(1), json!(16_711_680), json!("Ann"), json!(escaped)]
    );
    assert_eq!(all["data"][1][1], 2);
    assert_eq!(all["data"][1][4], "下面 &amp; more");
    assert!(all["data"][1][0].as_f64().unwrap() > 0.0, "{all}");
    let newest = read(&server, "?id=demo&max=1").await;
    assert_eq!((newest["data"].as_array().unwrap().len(), &newest["data"][0][1]), (1, &json!(2)));
    assert_eq!(read(&server, "?id=demo").await, all);
}

#[tokio::test]
async fn refusals_have_dplayers_form_and_the_status_of_the_refusal() {
    let server = server().await;
    let token = server.token("u1", "demo", "viewer").await;
    let other = server.token("u2", "other", "viewer").await;
    let no_text = json!({ "token": token, "id": "demo", "time": 1, "color": 1, "type": 0 });
    let cases = [
        ("demo", data("", "x", 0), 401),
        ("demo", data("no-token", "x", 0), 401),
        ("demo", data(&other, "x", 0), 403),
        ("demo", data(&token, "x", 7), 400),
        ("demo", data(&token, " \u{0} ", 0), 422),
        ("demo", data(&token, &"长".repeat(201), 0), 422),
        ("demo", no_text, 400),
        ("a b", data(&token, "x", 0), 400),
    ];
    for (room, data, status) in cases {
        let response = send(&server, room, data.clone()).await;
        assert_eq!(response.headers()["access-control-allow-origin"], PAGE, "{data}");
        let got = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        assert_eq!((got, &body["code"]), (status, &json!(status)), "{data}: {body}");
        assert!(body["msg"].as_str().is_some_and(|msg| !msg.is_empty()), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    }
    let large = send(&server, "demo", data(&token, &"x".repeat(20_000), 0)).await;
    assert_eq!(large.status(), 413);
    let admin = server.token("a", "*", "admin").await;
    server.admin("POST", "/rooms/demo/slow-mode", &admin, &json!({ "secs": 60 })).await;
    let slowed = server.token("u3", "demo", "viewer").await;
    assert_eq!(send(&server, "demo", data(&slowed, "first", 0)).await.status(), 200);
    let slow = send(&server, "demo", data(&slowed, "second", 0)).await;
    assert_eq!(slow.status(), 429);
    assert!(slow.headers().contains_key("retry-after"));
    let slow: Value = slow.json().await.unwrap();
    assert_eq!(slow["code"], 429, "{slow}");
}

#[tokio::test]
async fn preflight_of_a_page_on_another_host_allows_the_post() {
    let server = server().await;
    let url = format!("http://{}{ADDRESS}v3/", server.public);
    let preflight = reqwest::Client::new()
        .request(Method::OPTIONS, url)
        .header(ORIGIN, PAGE)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-origin"], PAGE);
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    assert!(allowed.contains("content-type"), "{allowed}");
}
