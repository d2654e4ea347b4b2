//! The check of admin calls: the token, its role and its rooms.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use barrage_protocol::{Code, RoomId};
use barrage_token::{Identity, Keyring, Role};
use http::Method;
use tracing::Instrument;

use super::call::{AdminCall, AuditSink, RecordedElsewhere};
use super::failure::{Failure, Failures};
use super::routes::AdminRoutes;
use crate::answer::error::{ApiError, method_not_allowed};
use crate::request::{ClientAddr, bearer, body};

/// Maximum body of an admin call, in bytes. A larger one is refused as `too_large`, because the
/// audit log keeps the whole body.
pub const ADMIN_BODY_BYTES_MAX: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Admits calls with a token of the role admin, and records the calls that change something.
///
/// A route with a `{room}` in its path needs a token for that room; every other route needs a
/// token for all rooms (`["*"]`).
pub struct AdminGate {
    keyring: Arc<Keyring>,
    failures: Failures,
    audit: Arc<dyn AuditSink>,
}

impl AdminGate {
    /// Makes a gate that records changes in `audit`. Registers `barrage_http_admin_refused_total`.
    ///
    /// # Errors
    /// When `registry` has a metric of that name already.
    pub fn new(
        keyring: Arc<Keyring>,
        audit: Arc<dyn AuditSink>,
        registry: &prometheus::Registry,
    ) -> Result<Arc<Self>, prometheus::Error> {
        Ok(Arc::new(AdminGate { keyring, failures: Failures::new(registry)?, audit }))
    }

    /// Returns `routes` behind the check of the token. Calls that change something are recorded.
    pub fn guard(self: &Arc<Self>, routes: AdminRoutes) -> Router {
        routes
            .into_router()
            .method_not_allowed_fallback(method_not_allowed)
            .layer(from_fn_with_state(Arc::clone(self), call))
    }

    fn check(&self, token: Option<&str>, room: Option<&str>) -> Result<Identity, Failure> {
        let token = token.ok_or(Failure::Missing)?;
        let by = self.keyring.verify(token).map_err(Failure::Token)?;
        if by.role != Role::Admin {
            return Err(Failure::Role);
        }
        let has = |name: &str| by.rooms.0.iter().any(|room| room == name);
        match room {
            _ if has("*") => Ok(by),
            Some(room) if has(room) => Ok(by),
            Some(_) => Err(Failure::Room),
            None => Err(Failure::Platform),
        }
    }
}

async fn call(
    State(gate): State<Arc<AdminGate>>,
    client: Option<Extension<ClientAddr>>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let Ok(parameters) = parameters else {
        return ApiError::new(Code::BadRequest, "the path must be UTF-8").into_response();
    };
    let room = parameters.iter().find_map(|(name, value)| (name == "room").then(|| value.to_owned()));
    let by = match gate.check(bearer(request.headers()), room.as_deref()) {
        Ok(by) => by,
        Err(failure) => {
            let client = client.map(|Extension(client)| client);
            return gate
                .failures
                .refuse(failure, client, request.method(), request.uri().path())
                .into_response();
        }
    };
    request.extensions_mut().insert(by.clone());
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return next.run(request).await;
    }
    change(&gate, by, room, request, next).await.into_response()
}

/// Runs a call that changes something and records it, even when the client disconnects before the
/// answer.
async fn change(
    gate: &Arc<AdminGate>,
    by: Identity,
    room: Option<String>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (parts, request_body) = request.into_parts();
    let bytes = body::read(request_body, ADMIN_BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let request = Request::from_parts(parts, Body::from(bytes.clone()));
    let gate = Arc::clone(gate);
    let call = async move {
        let response = next.run(request).await;
        if response.extensions().get::<RecordedElsewhere>().is_some() {
            return response;
        }
        gate.audit.record(AdminCall {
            at_ms: barrage_clock::unix_ms(),
            actor: by.user,
            method,
            path,
            room: room.and_then(|room| RoomId::parse(&room).ok()),
            body: serde_json::from_slice(&bytes).ok(),
            status: response.status().as_u16(),
        });
        response
    };
    tokio::spawn(call.in_current_span()).await.map_err(|error| {
        tracing::error!(%error, "the task of an admin call ended without an answer");
        ApiError::new(Code::Internal, "the call ended without an answer; see the server's log")
    })
}
