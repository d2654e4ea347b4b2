//! The layer between the connections and the routes: limits by address, requests of pages of
//! other sites, metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use barrage_protocol::Code;
use http::{Method, StatusCode};

use crate::address::ClientAddr;
use crate::address_limits::{AddressLimits, AddressRule};
use crate::error::ApiError;
use crate::metrics::HttpMetrics;
use crate::origin::AllowedOrigins;

pub(crate) struct Edge {
    pub(crate) limits: Option<Arc<AddressLimits>>,
    pub(crate) origins: Option<AllowedOrigins>,
    pub(crate) metrics: Option<HttpMetrics>,
}

/// The limits of the client, for a handler that knows what a request costs better than its
/// route says. Absent where there are none.
#[derive(Clone)]
pub struct ClientLimits {
    limits: Arc<AddressLimits>,
    client: ClientAddr,
}

impl ClientLimits {
    /// Counts so many requests inside of a tunnel.
    ///
    /// # Errors
    /// The refusal, with the rule and the time to come back.
    pub fn take_tunnel(&self, requests: usize) -> Result<(), ApiError> {
        self.limits.take(AddressRule::Tunnel, self.client, u32::try_from(requests).unwrap_or(u32::MAX))
    }

    /// Counts a page of history inside of a tunnel.
    ///
    /// # Errors
    /// The refusal, with the rule and the time to come back.
    pub fn take_history(&self) -> Result<(), ApiError> {
        self.limits.take(AddressRule::History, self.client, 1)
    }
}

pub(crate) fn layered(router: Router, edge: Edge) -> Router {
    router.layer(from_fn_with_state(Arc::new(edge), handle))
}

async fn handle(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map(MatchedPath::as_str);
    let client = request.extensions().get::<ClientAddr>().copied();
    let response = match edge.admit(route, client, &mut request) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => {
            let response = next.run(request).await;
            edge.bad_token(client, response)
        }
    };
    if let Some(metrics) = &edge.metrics {
        metrics.answered(route, response.status());
    }
    response
}

impl Edge {
    fn admit(
        &self,
        route: Option<&str>,
        client: Option<ClientAddr>,
        request: &mut Request,
    ) -> Result<(), ApiError> {
        if let Some(origins) = &self.origins {
            origins.check_host(request.headers())?;
            // A page of another site can post a form without asking first.
            if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
                origins.check(request.headers())?;
            }
        }
        let (Some(limits), Some(client)) = (&self.limits, client) else { return Ok(()) };
        if let Some(rule) = AddressRule::of(route) {
            limits.take(rule, client, 1)?;
        }
        if route == Some("/v1/tunnel") {
            request.extensions_mut().insert(ClientLimits { limits: Arc::clone(limits), client });
        }
        Ok(())
    }

    /// Counts an answer to a bad token; beyond the limit the answer is 429. It is counted after
    /// the check and not before, so that nobody can lock out others behind the same address.
    fn bad_token(&self, client: Option<ClientAddr>, response: Response) -> Response {
        if response.status() != StatusCode::UNAUTHORIZED {
            return response;
        }
        let (Some(limits), Some(client)) = (&self.limits, client) else { return response };
        match limits.take(AddressRule::BadTokens, client, 1) {
            Ok(()) => response,
            Err(refusal) => refusal.into_response(),
        }
    }
}

/// The refusal of a request whose host is not served.
pub(crate) fn foreign_host() -> ApiError {
    ApiError::new(
        Code::Forbidden,
        "this server is not known by the name in the Host header; name it in http.hosts",
    )
}
