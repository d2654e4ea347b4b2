//! Connection slots: by address, and of the server.

use std::io::Read;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use barrage_http::{Front, HttpConfig};

use crate::server::{Client, Server, until};

fn router() -> Router {
    Router::new().route("/", get(|| async { "here" })).route(
        "/slow",
        get(|| async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            "late"
        }),
    )
}

const ASK: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Opens a connection, has one answer, and keeps it idle.
fn idle(server: &Server) -> Client {
    let mut client = server.connect();
    client.send(ASK);
    assert_eq!(client.answer().unwrap().status, 200);
    client
}

#[test]
fn address_without_a_free_slot_gets_429_with_the_rule() {
    let config =
        HttpConfig { address_connections_max: 3, unlimited_networks: Vec::new(), ..HttpConfig::default() };
    let server = Server::start(router(), config, Front::default());
    let mut kept: Vec<_> = (0..3).map(|_| idle(&server)).collect();
    let refused = server.connect().answer().unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert_eq!(refused.header("retry-after").as_deref(), Some("2"));
    assert!(refused.body.contains("\"rule\":\"address_connections_max\""), "{}", refused.body);
    let refusals = "barrage_http_connections_refused_total";
    assert_eq!(server.metric(refusals, &["address_connections_max"]), 1);
    assert_eq!(server.metric(refusals, &["connections_max"]), 0);
    kept.pop();
    until("a slot is free again", || {
        let mut client = server.connect();
        client.send(ASK);
        client.answer().is_some_and(|answer| answer.status == 200)
    });
}

#[test]
fn refused_connection_that_has_sent_its_request_is_not_reset() {
    let config =
        HttpConfig { address_connections_max: 1, unlimited_networks: Vec::new(), ..HttpConfig::default() };
    let server = Server::start(router(), config, Front::default());
    let _kept = idle(&server);
    let mut refused = server.connect();
    refused.send(ASK);
    assert_eq!(refused.answer().unwrap().status, 429);
    assert_eq!(refused.0.read(&mut [0]).unwrap(), 0, "the end of the stream");
}

#[test]
fn longest_idle_connections_are_closed_for_new_ones() {
    let config = HttpConfig { connections_max: 16, ..HttpConfig::default() };
    let server = Server::start(router(), config, Front::default());
    let mut busy = server.connect();
    busy.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut kept: Vec<_> = (0..14).map(|_| idle(&server)).collect();
    // Each new connection gets a slot, however many come.
    let mut newcomers = Vec::new();
    for _ in 0..10 {
        until("a new connection has a slot", || {
            let mut client = server.connect();
            client.send(ASK);
            let is_in = client.answer().is_some_and(|answer| answer.status == 200);
            if is_in {
                newcomers.push(client);
            }
            is_in
        });
    }
    assert!(kept[0].closes_within(Duration::from_secs(5)), "the longest idle was closed");
    assert_eq!(busy.answer().unwrap().body, "late", "a connection with a request in it was not");
}
