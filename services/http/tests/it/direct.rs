//! A route that goes past the router.

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::post;
use barrage_http::{
    AddressLimits, AddressLimitsConfig, AllowedOrigins, ApiError, DirectAnswer, DirectRequest, DirectRoute,
    Front, HttpConfig,
};
use barrage_protocol::Code;

use crate::server::{Answer, Server};

const TEMPLATE: &str = "/v1/rooms/{room}/messages";
const PATH: &str = "/v1/rooms/demo/messages";
const TOKEN: &str = "Authorization: Bearer x\r\n";

/// Takes one path, and any token.
struct Direct;

impl DirectRoute for Direct {
    fn template(&self) -> &'static str {
        TEMPLATE
    }

    fn takes(&self, path: &str) -> bool {
        path == PATH
    }

    fn answer(&self, request: DirectRequest) -> DirectAnswer<'_> {
        Box::pin(async move {
            match request.parts.headers.contains_key("authorization") {
                true => "direct".into_response(),
                false => ApiError::new(Code::Unauthorized, "bad token").into_response(),
            }
        })
    }
}

/// A server on loopback that lets pages of `https://page.example` read answers.
fn server() -> Server {
    let limits = AddressLimitsConfig { bad_tokens_per_s: 3, burst_secs: 1, ..AddressLimitsConfig::default() };
    let config = HttpConfig { limits, unlimited_networks: Vec::new(), ..HttpConfig::default() };
    let origins = AllowedOrigins::new(&["https://page.example".into()]).with_hosts(&[], true);
    let router = Router::new()
        .route(TEMPLATE, post(|| async { "router" }))
        .fallback(|| async { "page" })
        .layer(origins.layer());
    let direct: Arc<dyn DirectRoute> = Arc::new(Direct);
    let front = Front {
        direct: Some(direct),
        limits: Some(Arc::new(AddressLimits::new(&config).unwrap())),
        origins: Some(origins),
        ..Front::default()
    };
    Server::start(router, config, front)
}

/// Sends a request without a body, with these lines of header beside its length.
fn ask(server: &Server, method: &str, path: &str, header: &str) -> Answer {
    server.ask(&format!("{method} {path} HTTP/1.1\r\n{header}Content-Length: 0\r\n\r\n"))
}

#[test]
fn other_methods_and_paths_are_the_routers() {
    let server = server();
    let header = format!("Host: localhost\r\n{TOKEN}");
    assert_eq!(ask(&server, "POST", &format!("{PATH}?a=b"), &header).body, "direct");
    assert_eq!(server.metric("barrage_http_requests_total", &[TEMPLATE, "2xx"]), 1);
    assert_eq!(ask(&server, "POST", "/v1/rooms/d%65mo/messages", &header).body, "router");
    assert_eq!(ask(&server, "POST", &format!("{PATH}/"), &header).body, "page");
    for method in ["GET", "PUT"] {
        assert_eq!(ask(&server, method, PATH, &header).status, 405, "{method}");
    }
    let preflight =
        "Host: localhost\r\nOrigin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n";
    let answer = ask(&server, "OPTIONS", PATH, preflight);
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("https://page.example"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"), "{answer:?}");
}

#[test]
fn pages_of_other_sites_and_foreign_hosts_are_refused() {
    let server = server();
    let own = ask(&server, "POST", PATH, &format!("Host: localhost\r\nOrigin: http://localhost\r\n{TOKEN}"));
    assert_eq!((own.body.as_str(), own.header("access-control-allow-origin")), ("direct", None));
    let page =
        ask(&server, "POST", PATH, &format!("Host: localhost\r\nOrigin: https://page.example\r\n{TOKEN}"));
    assert_eq!(page.body, "direct");
    assert_eq!(page.header("access-control-allow-origin").as_deref(), Some("https://page.example"));
    for header in ["Host: localhost\r\nOrigin: https://evil.example\r\n", "Host: evil.example\r\n"] {
        let refused = ask(&server, "POST", PATH, &format!("{header}{TOKEN}"));
        assert_eq!((refused.status, refused.code()), (403, "forbidden".to_owned()), "{header}");
    }
    assert_eq!(server.metric("barrage_http_requests_total", &[TEMPLATE, "4xx"]), 2);
}

#[test]
fn bad_tokens_of_an_address_are_limited() {
    let server = server();
    let mut answers = (0..1_000).map(|_| ask(&server, "POST", PATH, "Host: localhost\r\n"));
    let refused = answers.find(|answer| answer.status == 429).expect("bad tokens have no limit");
    assert!(refused.body.contains("\"rule\":\"bad_tokens_per_s\""), "{}", refused.body);
    assert!(refused.header("retry-after").is_some());
}
