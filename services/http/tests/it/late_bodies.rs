//! Answers that are ready before the body of their request has arrived.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use barrage_http::{ApiError, Front, HttpConfig};
use barrage_protocol::Code;

use crate::server::Server;

fn server() -> Server {
    let refuse = || async { ApiError::new(Code::Unauthorized, "fetch a token") };
    let router = Router::new().route("/refuse", post(refuse)).route("/", get(|| async { "here" }));
    Server::start(router, HttpConfig::default(), Front::default())
}

const NEXT: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn post_head(length: usize) -> String {
    format!("POST /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn next_request_works_after_a_refusal_with_a_late_body() {
    let server = server();
    let mut client = server.connect();
    for pause_ms in [0, 50, 200] {
        client.send(&post_head(20));
        std::thread::sleep(Duration::from_millis(pause_ms));
        client.send("{\"type\":\"chat\",\"a\":1}".get(..20).unwrap());
        let refused = client.answer().unwrap();
        assert_eq!((refused.status, refused.header("connection")), (401, None));
        client.send(NEXT);
        assert_eq!(client.answer().unwrap().body, "here", "after {pause_ms} ms");
    }
    // The body and the next request arrive in one piece.
    client.send(&format!("{}{}{NEXT}", post_head(3), "abc"));
    assert_eq!(client.answer().unwrap().status, 401);
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn refusal_with_a_long_or_missing_body_closes_the_connection() {
    let server = server();
    for length in [10, 1 << 20] {
        let mut client = server.connect();
        client.send(&post_head(length));
        let refused = client.answer().unwrap();
        assert_eq!(
            (refused.status, refused.header("connection").as_deref()),
            (401, Some("close")),
            "{length}"
        );
        assert!(client.closes_within(Duration::from_secs(10)));
    }
    let mut client = server.connect();
    client.send(
        "POST /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    );
    let refused = client.answer().unwrap();
    assert_eq!(
        (refused.status, refused.header("connection").as_deref()),
        (401, Some("close")),
        "without a 100 Continue before"
    );
}
