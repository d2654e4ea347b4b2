//! The gate of the admin API.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use axum::{Extension, Router};
use barrage_http::admin::ADMIN_BODY_BYTES_MAX;
use barrage_http::{AdminCall, AdminGate, AdminRoutes, AuditSink, ClientAddr, RecordedElsewhere};
use barrage_token::{Claims, Keyring, Role, TokenConfig};
use http::StatusCode;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use prometheus::Registry;
use serde_json::{Value, json};
use tower_service::Service;

#[derive(Default)]
struct Kept(Mutex<Vec<AdminCall>>);

impl AuditSink for Kept {
    fn record(&self, call: AdminCall) {
        self.0.lock().push(call);
    }
}

struct Site {
    keyring: Arc<Keyring>,
    kept: Arc<Kept>,
    registry: Registry,
    router: Router,
}

impl Site {
    fn new() -> Self {
        let keyring = Arc::new(Keyring::from_secret(&[7; 32], &TokenConfig::default()).unwrap());
        let (kept, registry) = (Arc::new(Kept::default()), Registry::new());
        let gate = AdminGate::new(Arc::clone(&keyring), Arc::clone(&kept) as _, &registry).unwrap();
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            "done"
        };
        let routes = Router::new()
            .route("/v1/admin/rooms/{room}/mute", post(async |body: String| body))
            .route("/v1/admin/fleet", get(async || "fleet"))
            .route("/v1/admin/slow", post(slow))
            .route("/v1/admin/broadcast", post(async || "sent"))
            .route("/v1/admin/relayed", post(async || (Extension(RecordedElsewhere), "relayed")));
        Site { keyring, kept, registry, router: gate.guard(AdminRoutes::new(routes)) }
    }

    fn token(&self, role: Role, rooms: &[&str]) -> String {
        let claims = json!({
            "sub": "op", "rooms": rooms, "role": role.label(), "exp": 4_000_000_000_u64, "aud": "",
        });
        let claims: Claims = serde_json::from_value(claims).unwrap();
        self.keyring.mint(claims).unwrap()
    }

    fn request(&self, method: &str, path: &str, token: &str, body: &str) -> Request {
        let mut request = http::Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.body(Body::from(body.to_owned())).unwrap()
    }

    async fn from(&self, address: &str, mut request: Request) -> (StatusCode, Value, Option<String>) {
        request.extensions_mut().insert(ClientAddr(address.parse().unwrap()));
        let (parts, body) = self.router.clone().call(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let retry_after = parts.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (parts.status, serde_json::from_slice(&body).unwrap_or_default(), retry_after)
    }

    async fn call(&self, method: &str, path: &str, token: &str) -> (u16, String) {
        // Each call comes from a new address, because refused calls of one address are limited.
        let (status, body, _) =
            self.from(&new_address(), self.request(method, path, token, r#"{"user":"u"}"#)).await;
        (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    fn refused(&self, reason: &str) -> u64 {
        let families = self.registry.gather();
        let metrics = families.iter().flat_map(|family| family.get_metric());
        let of_reason = metrics.filter(|metric| metric.get_label()[0].value() == reason);
        of_reason.map(|metric| metric.get_counter().get_value() as u64).sum()
    }
}

/// Returns an address that was not used before.
fn new_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0x0a00_0001);
    IpAddr::from(NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes()).to_string()
}

#[tokio::test]
async fn calls_that_another_process_recorded_are_not_recorded_again() {
    let site = Site::new();
    let all = site.token(Role::Admin, &["*"]);
    assert_eq!(site.call("POST", "/v1/admin/relayed", &all).await.0, 200);
    assert_eq!(site.call("POST", "/v1/admin/broadcast", &all).await.0, 200);
    let paths: Vec<_> = site.kept.0.lock().iter().map(|call| call.path.clone()).collect();
    assert_eq!(paths, ["/v1/admin/broadcast"]);
}

#[tokio::test]
async fn token_is_valid_for_its_rooms_and_platform_calls_need_all_rooms() {
    let site = Site::new();
    let other = site.token(Role::Admin, &["other"]);
    let both = site.token(Role::Admin, &["other", "demo"]);
    let all = site.token(Role::Admin, &["*"]);
    let moderator = site.token(Role::Moderator, &["*"]);
    let mute = "/v1/admin/rooms/demo/mute";
    let cases: [(&str, &str, &str, u16, &str); 13] = [
        ("POST", mute, "", 401, "unauthorized"),
        ("POST", mute, "abc", 401, "unauthorized"),
        ("POST", mute, &moderator, 403, "forbidden"),
        ("POST", mute, &other, 403, "wrong_room"),
        ("POST", mute, &both, 200, ""),
        ("POST", mute, &all, 200, ""),
        ("POST", "/v1/admin/rooms/other/mute", &other, 200, ""),
        ("POST", "/v1/admin/rooms/%6Fther/mute", &other, 200, ""),
        ("POST", "/v1/admin/broadcast", &both, 403, "wrong_room"),
        ("GET", "/v1/admin/fleet", &both, 403, "wrong_room"),
        ("GET", "/v1/admin/fleet", &all, 200, ""),
        ("HEAD", "/v1/admin/fleet", "", 401, ""),
        ("PUT", mute, &all, 405, "method_not_allowed"),
    ];
    for (method, path, token, status, code) in cases {
        let answer = site.call(method, path, token).await;
        if method == "HEAD" {
            assert_eq!(answer.0, status, "{method} {path}");
        } else {
            assert_eq!(answer, (status, code.to_owned()), "{method} {path} {token}");
        }
    }
}

#[tokio::test]
async fn refused_calls_are_counted_and_the_eleventh_of_an_address_gets_429() {
    let site = Site::new();
    for reason in ["missing", "invalid", "role", "limited"] {
        assert_eq!(site.refused(reason), 0, "{reason}");
    }
    let good = site.token(Role::Admin, &["*"]);
    let call = async |address: &str, token: &str| {
        site.from(address, site.request("GET", "/v1/admin/fleet", token, "")).await
    };
    for _ in 0..10 {
        assert_eq!(call("192.0.2.1", "bad").await.0, StatusCode::UNAUTHORIZED);
    }
    let (status, body, retry_after) = call("192.0.2.1", "bad").await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("rate_limited")));
    assert_eq!(body["error"]["limit"]["rule"], "admin_failures_per_minute");
    assert!((1..=6).contains(&retry_after.unwrap().parse::<u32>().unwrap()));
    assert_eq!(call("192.0.2.2", "bad").await.0, StatusCode::UNAUTHORIZED, "another address");
    assert_eq!(call("192.0.2.1", &good).await.0, StatusCode::OK, "a good token is never limited");
    assert_eq!((site.refused("invalid"), site.refused("limited")), (11, 1));
}

#[tokio::test]
async fn every_change_is_recorded_with_its_body_and_reads_are_not() {
    let site = Site::new();
    let token = site.token(Role::Admin, &["*"]);
    for (method, path) in [
        ("GET", "/v1/admin/fleet"),
        ("POST", "/v1/admin/rooms/demo/mute"),
        ("POST", "/v1/admin/broadcast"),
        ("PUT", "/v1/admin/broadcast"),
    ] {
        site.call(method, path, &token).await;
    }
    site.call("POST", "/v1/admin/broadcast", "bad").await;
    let kept = site.kept.0.lock().clone();
    let short: Vec<_> = kept.iter().map(|call| (call.path.as_str(), call.status)).collect();
    let (mute, sent) = ("/v1/admin/rooms/demo/mute", "/v1/admin/broadcast");
    assert_eq!(short, [(mute, 200), (sent, 200), (sent, 405)]);
    assert_eq!(kept[0].body, Some(json!({ "user": "u" })));
    assert_eq!((kept[0].actor.as_str(), kept[0].room.as_ref().unwrap().as_str()), ("op", "demo"));
    assert_eq!(kept[1].room, None);
}

#[tokio::test]
async fn change_is_recorded_although_the_client_disconnects() {
    let site = Site::new();
    let request = site.request("POST", "/v1/admin/slow", &site.token(Role::Admin, &["*"]), "{}");
    let mut router = site.router.clone();
    let hung_up = tokio::time::timeout(Duration::from_millis(10), router.call(request)).await;
    assert!(hung_up.is_err());
    let recorded = async {
        while site.kept.0.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), recorded).await.unwrap();
}

#[tokio::test]
async fn body_over_the_maximum_is_refused() {
    let site = Site::new();
    let token = site.token(Role::Admin, &["*"]);
    let body = "x".repeat(ADMIN_BODY_BYTES_MAX + 1);
    let request = site.request("POST", "/v1/admin/rooms/demo/mute", &token, &body);
    assert_eq!(site.from("192.0.2.1", request).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}
