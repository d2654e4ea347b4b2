//! Both sources of load reports, over real sockets.

use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use barrage_scaling::Phase;
use serde_json::json;

use crate::error::LoadsError;
use crate::http::tests::serve;
use crate::http::{HttpClient, HttpError};
use crate::loads::{self, LoadSource};
use crate::resource::{LoadsSpec, PrometheusSpec};

fn source(spec: &LoadsSpec) -> Arc<dyn LoadSource> {
    loads::source(spec, &HttpClient::default(), &HttpClient::default())
}

fn entry(address: &str) -> LoadsSpec {
    serde_json::from_value(json!({ "entry": { "url": format!("http://{address}/") } })).unwrap()
}

#[tokio::test]
async fn registry_source_reads_reports_with_the_current_token() {
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
async fn registry_source_fails_on_bad_status_bad_body_and_refused_connection() {
    let broken = serve(Router::new()).await;
    let malformed = serve(Router::new().route("/v1/admin/fleet", get(async || "soon"))).await;
    let endless = serve(Router::new().route("/v1/admin/fleet", get(async || "[".repeat(5 << 20)))).await;
    let ask = async |address: &str| source(&entry(address)).read().await.unwrap_err();
    assert!(matches!(ask(&broken).await, LoadsError::Http(HttpError::Status(_))));
    assert!(matches!(ask(&malformed).await, LoadsError::Form(_)));
    assert!(matches!(ask(&endless).await, LoadsError::Http(HttpError::Body(_))));
    let gone = ask("127.0.0.1:1").await;
    assert!(matches!(gone, LoadsError::Http(HttpError::Connect(_))));
    assert!(gone.to_string().contains("refused"), "{gone}");
}

#[tokio::test]
async fn prometheus_source_queries_each_axis() {
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
