//! Metrics of requests, by route and class of status.

use std::path::Path;

use axum::Router;
use axum::routing::get;
use barrage_http::metrics::ROUTES;
use barrage_http::{ApiError, Front, HttpConfig};
use barrage_protocol::Code;

use crate::server::Server;

const REQUESTS: &str = "barrage_http_requests_total";

#[test]
fn every_count_exists_from_the_start_and_no_path_is_a_label() {
    let router = Router::new()
        .route("/v1/race", get(|| async { "bytes" }))
        .route("/v1/entry", get(|| async { ApiError::new(Code::Unavailable, "the store is away") }))
        .route("/v1/unlisted/{name}", get(|| async { "here" }))
        .fallback(barrage_http::error::not_found);
    let server = Server::start(router, HttpConfig::default(), Front::default());
    for route in ROUTES {
        for class in ["1xx", "2xx", "3xx", "4xx", "5xx"] {
            assert_eq!(server.metric(REQUESTS, &[route, class]), 0, "{route} {class}");
        }
    }
    for path in ["/v1/race", "/v1/entry", "/v1/unlisted/a", "/v1/unlisted/b", "/some/path"] {
        server.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    let counted = [("/v1/race", "2xx", 1), ("/v1/entry", "5xx", 1), ("other", "2xx", 2), ("page", "4xx", 1)];
    for (route, class, count) in counted {
        assert_eq!(server.metric(REQUESTS, &[route, class]), count, "{route} {class}");
    }
    let families = server.registry.gather();
    let family = families.iter().find(|family| family.name() == REQUESTS).unwrap();
    assert_eq!(family.get_metric().len(), ROUTES.len() * 5);
}

/// Reads the sources of all roles: every public route has a label.
#[test]
fn every_route_of_every_role_is_listed() {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = 0;
    for role in ["barrage", "entry", "gateway", "uplink"] {
        let mut folders = vec![services.join(role).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                for after in text.split(".route(").skip(1) {
                    let Some(rest) = after.trim_start().strip_prefix('"') else { continue };
                    let route = rest.split('"').next().unwrap();
                    if route.starts_with('/') && !route.starts_with("/v1/admin/") {
                        found += 1;
                        assert!(ROUTES.contains(&route), "{route} of {} is not in ROUTES", path.display());
                    }
                }
            }
        }
    }
    assert!(found >= 12, "the search does not find the routes of the sources: {found}");
}
