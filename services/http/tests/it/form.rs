//! The form of every request and answer.

use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::{get, post};
use barrage_http::{AllowedOrigins, ApiError, Front, HttpConfig, body};
use barrage_protocol::Code;
use serde::Deserialize;

use crate::server::{Answer, Server};

#[derive(Deserialize)]
struct PollQuery {
    #[allow(dead_code, reason = "only its parsing is tested")]
    after: Option<u64>,
}

fn server() -> Server {
    let router = Router::new()
        .route(
            "/v1/rooms/{room}/poll",
            get(|Path(_): Path<String>, Query(_): Query<PollQuery>| async { "batch" }),
        )
        .route("/v1/guest", post(|| async { "token" }))
        .route("/defect", get(|| async { ApiError::new(Code::Internal, "the cause") }))
        .route(
            "/small",
            post(|body: axum::body::Body| async {
                body::read(body, 10, std::time::Duration::from_secs(5)).await.map(|_| "read")
            }),
        )
        .fallback(barrage_http::error::not_found);
    let origins = AllowedOrigins::new(&["https://page.example".into()]).with_hosts(&[], true);
    Server::start(router, HttpConfig::default(), Front { origins: Some(origins), ..Front::default() })
}

fn ask(server: &Server, line: &str, fields: &str) -> Answer {
    server.ask(&format!("{line} HTTP/1.1\r\n{fields}\r\n"))
}

#[test]
fn every_refusal_has_the_documented_body() {
    let server = server();
    let long = format!("GET /{}", "x".repeat(9_000));
    let host = "Host: localhost\r\n";
    let cases: [(&str, String, u16, &str); 12] = [
        ("GET /v1/rooms/demo/poll?after=x", host.into(), 400, "bad_request"),
        ("GET /v1/rooms/%ff/poll", host.into(), 400, "bad_request"),
        ("GET /nothing", host.into(), 404, "not_found"),
        ("DELETE /v1/guest", host.into(), 405, "method_not_allowed"),
        (&long, host.into(), 414, "too_large"),
        ("GET /v1/rooms/demo/poll", String::new(), 400, "bad_request"),
        ("GET /v1/rooms/demo/poll", format!("{host}{host}"), 400, "bad_request"),
        (
            "POST /v1/guest",
            format!("{host}Content-Encoding: gzip\r\nContent-Length: 0\r\n"),
            415,
            "unsupported_media",
        ),
        ("GET /v1/rooms/demo/poll", "Host: evil.example:8080\r\n".into(), 403, "forbidden"),
        (
            "POST /v1/guest",
            format!("{host}Origin: https://evil.example\r\nContent-Length: 0\r\n"),
            403,
            "forbidden",
        ),
        ("POST /small", format!("{host}Content-Length: 12\r\n\r\nabcdefghijkl"), 413, "too_large"),
        ("GET /defect", host.into(), 500, "internal"),
    ];
    for (line, fields, status, code) in cases {
        let answer = ask(&server, line, &fields);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{line} {fields}");
        assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"), "{line}");
        assert_eq!(answer.header("x-request-id").map(|id| id.len()), Some(16), "{line}");
    }
}

#[test]
fn well_formed_requests_pass() {
    let server = server();
    let host = format!("Host: {}\r\n", server.address);
    let own = format!("Origin: http://{}\r\n", server.address);
    for (line, fields) in [
        ("GET /v1/rooms/demo/poll?after=3", host.clone()),
        ("POST /v1/guest", format!("{host}Content-Encoding: identity\r\nContent-Length: 0\r\n")),
        ("POST /v1/guest", format!("{host}Content-Length: 0\r\n")),
        ("POST /v1/guest", format!("{host}{own}Content-Length: 0\r\n")),
        ("POST /v1/guest", "Host: localhost\r\nOrigin: https://page.example\r\nContent-Length: 0\r\n".into()),
        ("GET /v1/rooms/demo/poll", "Host: page.example\r\n".into()),
    ] {
        let answer = ask(&server, line, &fields);
        assert_eq!(answer.status, 200, "{line} {fields}");
        assert_eq!(answer.header("strict-transport-security"), None, "without TLS");
    }
    let old = server.ask("GET /v1/rooms/demo/poll HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 200, "HTTP/1.0 needs no Host");
}

#[test]
fn request_ids_differ() {
    let server = server();
    let id = || ask(&server, "GET /defect", "Host: localhost\r\n").header("x-request-id").unwrap();
    let (first, second) = (id(), id());
    assert_ne!(first, second);
    assert_eq!(first[..8], second[..8], "the first half names the process");
}
