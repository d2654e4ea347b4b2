//! The ways to load reports and gateways, over real sockets.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, Request};
use axum::routing::get;
use barrage_scaling::Phase;
use serde_json::{Value, json};

use super::error::LoadsError;
use super::http::{HttpClient, HttpError};
use super::loads::{self, Loads};
use super::orders::{AdminOrders, Orders};
use super::resource::{LoadsSpec, PrometheusSpec};

/// Serves a router on a port of its own; the address.
async fn serve(router: Router) -> String {
    let listener = barrage_http::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let never = tokio_util::sync::CancellationToken::new();
    let config = barrage_http::HttpConfig::default();
    tokio::spawn(barrage_http::serve(vec![listener], router, config, never));
    address
}

fn source(spec: &LoadsSpec) -> Arc<dyn Loads> {
    loads::source(spec, &HttpClient::default(), &HttpClient::default())
}

fn entry(address: &str) -> LoadsSpec {
    serde_json::from_value(json!({ "entry": { "url": format!("http://{address}/") } })).unwrap()
}

#[tokio::test]
async fn the_registry_is_asked_by_way_of_entry() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "secret\n").unwrap();
    let fleet = async |headers: http::HeaderMap| match headers.get("authorization") {
        Some(token) if token == "Bearer secret" => {
            let load = json!({ "connections": 12, "connections_max": 100 });
            let one = json!({ "role": "gateway", "id": "g-1", "load": load, "report_age_ms": 400 });
            Ok(json!({ "instances": [one], "entry": { "waiting": 5.0 } }).to_string())
        }
        _ => Err(http::StatusCode::UNAUTHORIZED),
    };
    let address = serve(Router::new().route("/v1/admin/fleet", get(fleet))).await;
    let admin = HttpClient::default().with_token(&token);
    let source = loads::source(&entry(&address), &HttpClient::default(), &admin);
    let report = source.read().await.unwrap();
    let gateway = report.gateways().next().unwrap();
    assert_eq!((&*gateway.id, gateway.load.connections, gateway.report_age_ms), ("g-1", 12.0, 400.0));
    assert_eq!(report.entry.unwrap().waiting, 5.0);
    std::fs::write(&token, "old").unwrap();
    assert!(matches!(source.read().await, Err(LoadsError::Http(HttpError::Status(_)))));
    std::fs::remove_file(&token).unwrap();
    assert!(matches!(source.read().await, Err(LoadsError::Http(HttpError::Token(_)))));
}

#[tokio::test]
async fn an_entry_that_fails_talks_nonsense_or_is_gone_is_an_error() {
    let broken = serve(Router::new()).await;
    let nonsense = serve(Router::new().route("/v1/admin/fleet", get(async || "soon"))).await;
    let endless = serve(Router::new().route("/v1/admin/fleet", get(async || "[".repeat(5 << 20)))).await;
    let ask = async |address: &str| source(&entry(address)).read().await.unwrap_err();
    assert!(matches!(ask(&broken).await, LoadsError::Http(HttpError::Status(_))));
    assert!(matches!(ask(&nonsense).await, LoadsError::Form(_)));
    assert!(matches!(ask(&endless).await, LoadsError::Http(HttpError::Body(_))));
    let gone = ask("127.0.0.1:1").await;
    assert!(matches!(gone, LoadsError::Http(HttpError::Connect(_))));
    assert!(gone.to_string().contains("refused"), "{gone}");
}

#[tokio::test]
async fn orders_go_to_the_gateways_admin_listener() {
    let heard: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let hear = {
        let heard = Arc::clone(&heard);
        async move |request: Request| {
            let what = format!("{} {}", request.method(), request.uri().path());
            let body = axum::body::to_bytes(request.into_body(), 1_000).await.unwrap();
            heard.lock().unwrap().push((what, serde_json::from_slice(&body).unwrap_or(Value::Null)));
        }
    };
    let address = serve(Router::new().fallback(hear)).await;
    let orders = AdminOrders(HttpClient::default());
    orders.drain(&address, 96).await.unwrap();
    orders.call_off(&address).await.unwrap();
    orders.give_back(&address, 0.25).await.unwrap();
    let expected = [
        ("POST /v1/admin/drain".into(), json!({ "within_secs": 96 })),
        ("DELETE /v1/admin/drain".into(), Value::Null),
        ("POST /v1/admin/give-back".into(), json!({ "share": 0.25 })),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test]
async fn prometheus_is_asked_for_each_axis() {
    let answer = async |Query(asked): Query<Vec<(String, String)>>| {
        let query = asked[0].1.clone();
        let sample = |pod: &str, value: &str| json!({ "metric": { "pod": pod }, "value": [1.0, value] });
        let result = match query.as_str() {
            "age{a=\"b c\"}" => vec![sample("g-1", "3.5")],
            "connections" => vec![sample("g-1", "120"), sample("g-2", "NaN")],
            "egress" => vec![sample("g-1", "5e5")],
            "draining" => vec![sample("g-1", "1"), sample("g-2", "0")],
            "waiting" => vec![json!({ "metric": {}, "value": [1.0, "7"] })],
            "granted" => vec![],
            _ => return json!({ "status": "error", "error": "parse error" }).to_string(),
        };
        json!({ "status": "success", "data": { "resultType": "vector", "result": result } }).to_string()
    };
    let address = serve(Router::new().route("/api/v1/query", get(answer))).await;
    let mut spec: PrometheusSpec = serde_json::from_value(json!({
        "url": format!("http://{address}"), "age": "age{a=\"b c\"}", "connections": "connections",
        "egress": "egress", "draining": "draining", "waiting": "waiting", "granted": "granted",
    }))
    .unwrap();
    let read = async |spec: &PrometheusSpec| {
        let spec = LoadsSpec { entry: None, prometheus: Some(spec.clone()) };
        source(&spec).read().await
    };
    let report = read(&spec).await.unwrap();
    let entry = report.entry.unwrap();
    let [one, two] = &report.instances[..] else { panic!("{report:?}") };
    assert_eq!(
        (one.phase(), one.load.connections, one.load.egress_bytes_per_s),
        (Phase::Draining, 120.0, 5e5)
    );
    assert_eq!((one.report_age_ms, entry.waiting), (3_500.0, 7.0));
    assert!(two.load.connections.is_nan() && two.report_age_ms.is_infinite() && two.phase() == Phase::Ready);
    assert!(entry.granted_per_s.is_nan(), "a missing counter is missing, not 0");
    spec.joins = Some("rate(".into());
    assert!(matches!(read(&spec).await, Err(LoadsError::Query { .. })));
}
