//! Limits of the requests of one address.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use barrage_http::{AddressLimits, AddressLimitsConfig, ApiError, ClientLimits, Front, HttpConfig};
use barrage_protocol::Code;

use crate::server::Server;

/// Whether loopback has limits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loopback {
    Limited,
    Unlimited,
}

fn server(loopback: Loopback) -> Server {
    let limits = AddressLimitsConfig {
        history_per_s: 1,
        poll_per_s: 2,
        guests_per_s: 3,
        page_per_s: 4,
        race_per_s: 5,
        reports_per_s: 7,
        bad_tokens_per_s: 6,
        tunnel_per_s: 40,
        burst_secs: 1,
        ..AddressLimitsConfig::default()
    };
    // The test may take seconds, in which buckets refill, so only the burst is exact.
    let config = HttpConfig { limits, ..HttpConfig::default() };
    let config = match loopback {
        Loopback::Limited => HttpConfig { unlimited_networks: Vec::new(), ..config },
        Loopback::Unlimited => config,
    };
    let here = || get(|| async { "here" });
    let router = Router::new()
        .route("/v1/rooms/{room}/history", here())
        .route("/v1/rooms/{room}/poll", here())
        .route("/v1/guest", post(|| async { "token" }))
        .route("/v1/race", here())
        .route("/v1/rooms/{room}/reports", post(|| async { "queued" }))
        .route("/v1/rooms/{room}/messages", get(|| async { ApiError::new(Code::Unauthorized, "bad token") }))
        .route(
            "/v1/tunnel",
            get(|limits: Option<axum::Extension<ClientLimits>>| async move {
                limits.map_or(Ok("none"), |axum::Extension(limits)| limits.take_tunnel(16).map(|()| "here"))
            }),
        )
        .fallback(|| async { "page" });
    let front = Front { limits: Some(Arc::new(AddressLimits::new(&config).unwrap())), ..Front::default() };
    Server::start(router, config, front)
}

const ROUTES: [(&str, &str, &str, usize); 8] = [
    ("GET", "/v1/rooms/demo/history", "history_per_s", 1),
    ("GET", "/v1/rooms/demo/poll", "poll_per_s", 2),
    ("POST", "/v1/guest", "guests_per_s", 3),
    ("GET", "/", "page_per_s", 4),
    ("GET", "/v1/race", "race_per_s", 5),
    ("POST", "/v1/rooms/demo/reports", "reports_per_s", 7),
    ("GET", "/v1/rooms/demo/messages", "bad_tokens_per_s", 6),
    ("GET", "/v1/tunnel", "tunnel_per_s", 2),
];

#[test]
fn request_over_a_limit_gets_429_with_the_rule_and_the_time() {
    let server = server(Loopback::Limited);
    for (method, path, rule, burst) in ROUTES {
        let mut client = server.connect();
        let mut refused = None;
        // More requests than a refilling bucket admits while the test runs.
        for asked in 0..10_000 {
            client.send(&format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
            let answer = client.answer().unwrap();
            if answer.status == 429 {
                assert!(asked >= burst, "{path}: {asked}");
                refused = Some(answer);
                break;
            }
        }
        let refused = refused.unwrap_or_else(|| panic!("{path} has no limit"));
        assert_eq!(refused.code(), "rate_limited");
        assert!(refused.body.contains(&format!("\"rule\":\"{rule}\"")), "{}", refused.body);
        assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1, "{path}");
    }
}

#[test]
fn loopback_has_no_limits_by_default() {
    let server = server(Loopback::Unlimited);
    for (method, path, _, burst) in ROUTES {
        let mut client = server.connect();
        for _ in 0..burst + 50 {
            client.send(&format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
            assert_ne!(client.answer().unwrap().status, 429, "{path}");
        }
    }
}
