//! The description of the HTTP API, and the routes that serve it.
//!
//! The public listener describes the public operations alone: it does not tell strangers which
//! operations the admin listener has.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use barrage_openapi::{Access, Body, Info, Method, Operation, Server, document};
use bytes::Bytes;
use http::header;
use serde_json::Value;

use crate::{health, operator};

const DESCRIPTION: &str = "Live-stream chat and danmaku: viewers watch rooms on gateways, and senders post to uplinks. \
    docs/reference/protocol.md describes frames, bodies and limits. Fields that a client does not know are to be \
    ignored; the server refuses unknown fields in requests.";
const ADMIN_DESCRIPTION: &str = "The public API, and the API of the admin listener. A token of the role admin is \
    needed: for the room of the path, or for all rooms where the path has none. Each change is in the audit log.";

/// Listener whose operations a document describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Public operations, without those of the admin listener.
    Public,
    /// Public operations and those of the admin listener.
    Admin,
}

/// Returns every operation of every role, those of both listeners.
pub(crate) fn operations() -> Vec<Operation> {
    let this = Operation::new(
        "openapi_show",
        Method::Get,
        "/v1/openapi.json",
        "Returns this description of the API.",
    )
    .by(Server::Process, Access::Both)
    .answer(200, "An OpenAPI 3.1 document.", Body::Media("application/json"));
    let mut all = barrage_entry::operations();
    all.extend(barrage_gateway::operations());
    all.extend(barrage_uplink::operations());
    all.extend(barrage_media::operations());
    all.extend(health::operations());
    all.extend(operator::operations());
    all.push(this);
    all
}

/// Makes the OpenAPI document for a listener.
pub(crate) fn describe(listener: Listener) -> Value {
    let (title, description) = match listener {
        Listener::Public => ("Barrage", DESCRIPTION),
        Listener::Admin => ("Barrage with its admin API", ADMIN_DESCRIPTION),
    };
    let mut operations = operations();
    operations.retain(|operation| listener == Listener::Admin || operation.access.is_public());
    document(Info { title, version: env!("CARGO_PKG_VERSION"), description }, &operations)
}

/// Returns the route of the document for a listener. The first request makes the document: to make it at each
/// start would take longer than most other steps of a start.
pub(crate) fn router(listener: Listener) -> Router {
    let document = Arc::new(OnceLock::new());
    let answer = move || {
        let made = document.get_or_init(|| Bytes::from(describe(listener).to_string()));
        std::future::ready(json(made.clone()))
    };
    Router::new().route("/v1/openapi.json", get(answer))
}

fn json(document: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_and_methods_of_paths_are_unique() {
        let operations = operations();
        let ids: BTreeSet<_> = operations.iter().map(|operation| operation.id).collect();
        let places: BTreeSet<_> =
            operations.iter().map(|operation| (operation.path, operation.method)).collect();
        assert_eq!((ids.len(), places.len()), (operations.len(), operations.len()));
    }

    #[test]
    fn public_document_has_no_path_of_the_admin_listener() {
        let public = describe(Listener::Public);
        let paths = public["paths"].as_object().unwrap();
        assert!(paths.len() >= 10 && paths.contains_key("/v1/openapi.json"));
        assert!(paths.keys().all(|path| !path.starts_with("/v1/admin") && path != "/metrics"), "{paths:?}");
        assert!(!public.to_string().contains("/v1/admin"));
    }
}
