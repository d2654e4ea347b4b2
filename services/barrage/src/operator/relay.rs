//! Admin calls that this process passes on to one instance of the fleet.
//!
//! A browser reaches one admin listener alone: other processes have other addresses, often inside a
//! network of their own. The called process checks the token of the caller and records the call.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use barrage_bus::Role;
use barrage_http::{ApiError, RecordedElsewhere, bearer, body};
use barrage_protocol::Code;
use http::{HeaderValue, Method, header};
use serde::Deserialize;

use super::context::Operator;
use super::fleet_calls::Target;

/// First parts of the calls that are passed on. A call of this list has no effect beyond the called
/// instance, or it is one that every uplink and entry answers alike.
const RELAYED: [&str; 10] =
    ["audit", "drain", "factors", "give-back", "offered", "prewarm", "state", "switches", "weights", "why"];
/// Maximum bytes of a body, as [`barrage_http::admin::ADMIN_BODY_BYTES_MAX`] of the called process.
const BODY_BYTES_MAX: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Parts of a path.
#[derive(Debug, Deserialize)]
pub(super) struct Relayed {
    role: String,
    id: String,
    call: String,
    /// Name within the call: of a switch, a message or an announced crowd.
    name: Option<String>,
}

/// Passes a call on: `/v1/admin/instances/gateway/gateway-1/drain` becomes `/v1/admin/drain` of the
/// gateway of that id, with the same method, query, body and token.
pub(super) async fn handle(
    State(operator): State<Arc<Operator>>,
    Path(Relayed { role, id, call, name }): Path<Relayed>,
    request: Request,
) -> Result<Response, ApiError> {
    let call = name.map_or(call.clone(), |name| format!("{call}/{name}"));
    if !is_relayed(&call) {
        let message = format!("only these calls are passed on: {}", RELAYED.join(", "));
        return Err(ApiError::new(Code::NotFound, message));
    }
    let target = find(operator.calls.targets(), &role, &id)?;
    let (parts, request_body) = request.into_parts();
    let token = bearer(&parts.headers).ok_or_else(|| ApiError::new(Code::Unauthorized, "send a token"))?;
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("/v1/admin/{call}{query}");
    let is_change = parts.method != Method::GET && parts.method != Method::HEAD;
    let called = operator.calls.call(&target.url, parts.method, &path, token, bytes).await;
    let answer = called.map_err(|why| {
        let message = format!("{role} {id} was not reached: {why}");
        ApiError::new(Code::Unavailable, message).retry_after_ms(1_000)
    })?;
    let mut response = (answer.status, Body::from(answer.body)).into_response();
    let content_type = answer.content_type.unwrap_or(HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_change {
        response.extensions_mut().insert(RecordedElsewhere);
    }
    Ok(response)
}

/// Whether a call is in the list and its path cannot leave `/v1/admin/`.
fn is_relayed(call: &str) -> bool {
    let is_plain = |part: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_allowed)
    };
    let first = call.split('/').next().unwrap_or_default();
    RELAYED.contains(&first) && call.split('/').all(is_plain)
}

fn find(targets: Vec<Target>, role: &str, id: &str) -> Result<Target, ApiError> {
    let is_named = |target: &Target| target.role.label() == role && target.id == id;
    let found = targets.into_iter().find(|target| target.role != Role::Autoscaler && is_named(target));
    found.ok_or_else(|| {
        ApiError::new(Code::NotFound, "no instance of this role and id has reported within 5 s")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_calls_are_passed_on_and_none_leaves_the_admin_api() {
        for call in ["drain", "give-back", "switches/no-likes", "why/g-1", "audit", "prewarm/a.1800000000"] {
            assert!(is_relayed(call), "{call}");
        }
        let refused = [
            "",
            "rooms/demo/kick",
            "instances/gateway/g/drain",
            concat!("drain/", "../../etc"),
            concat!("drain/", ".."),
            "drain/.",
            "drain//x",
            "/drain",
            "switches/a b",
            "why/x?y",
            "why/x#y",
            "why/%2e%2e",
            "overview",
            "tokens/revoke",
        ];
        for call in refused {
            assert!(!is_relayed(call), "{call}");
        }
    }

    #[test]
    fn instance_is_found_by_role_and_id() {
        let target = |role, id: &str| Target { role, id: id.into(), url: format!("http://{id}") };
        let targets = || vec![target(Role::Gateway, "a"), target(Role::Uplink, "b")];
        assert_eq!(find(targets(), "uplink", "b").unwrap().url, "http://b");
        assert_eq!(find(targets(), "gateway", "b").unwrap_err().0.code, Code::NotFound);
        assert_eq!(find(targets(), "router", "a").unwrap_err().0.code, Code::NotFound);
    }
}
