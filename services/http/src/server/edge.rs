//! The layer in front of the router: limits by address, requests of pages of other sites, metrics,
//! and the route of the request's span.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};

use crate::answer::error::ApiError;
use crate::connection::{DirectAnswer, DirectRequest, DirectRoute, record_route};
use crate::limits::{AddressLimits, AddressRule, ClientLimits};
use crate::metrics::HttpMetrics;
use crate::request::{AllowedOrigins, ClientAddr};

const TUNNEL_ROUTE: &str = "/v1/tunnel";

pub(super) struct Edge {
    pub(super) limits: Option<Arc<AddressLimits>>,
    pub(super) origins: Option<AllowedOrigins>,
    pub(super) metrics: Option<HttpMetrics>,
}

pub(super) fn layered(router: Router, edge: Arc<Edge>) -> Router {
    router.layer(from_fn_with_state(edge, handle))
}

/// A direct route behind the edge.
pub(super) struct EdgedRoute {
    pub(super) edge: Arc<Edge>,
    pub(super) route: Arc<dyn DirectRoute>,
}

impl DirectRoute for EdgedRoute {
    fn template(&self) -> &'static str {
        self.route.template()
    }

    fn takes(&self, path: &str) -> bool {
        self.route.takes(path)
    }

    fn answer(&self, request: DirectRequest) -> DirectAnswer<'_> {
        Box::pin(async move {
            let (edge, route, client) = (&self.edge, Some(self.template()), Some(request.client));
            let response = match edge.admit(route, client, &request.parts.method, &request.parts.headers) {
                Err(refusal) => refusal.into_response(),
                Ok(()) => {
                    let origin = request.parts.headers.get(header::ORIGIN).cloned();
                    let mut response = self.route.answer(request).await;
                    if let Some(origins) = &edge.origins {
                        origins.let_read(origin, response.headers_mut());
                    }
                    edge.count_bad_token(client, response)
                }
            };
            if let Some(metrics) = &edge.metrics {
                metrics.answered(route, response.status());
            }
            response
        })
    }
}

async fn handle(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map(MatchedPath::as_str);
    if let Some(route) = route {
        record_route(route);
    }
    let client = request.extensions().get::<ClientAddr>().copied();
    let response = match edge.admit(route, client, request.method(), request.headers()) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => {
            if let (Some(TUNNEL_ROUTE), Some(limits), Some(client)) = (route, &edge.limits, client) {
                request.extensions_mut().insert(ClientLimits::new(Arc::clone(limits), client));
            }
            let response = next.run(request).await;
            edge.count_bad_token(client, response)
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
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<(), ApiError> {
        if let Some(origins) = &self.origins {
            // A page of another site can post a form without a preflight.
            if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
                origins.check_host(headers)?;
            } else {
                origins.check(headers)?;
            }
        }
        let (Some(limits), Some(client)) = (&self.limits, client) else { return Ok(()) };
        match AddressRule::of(method, route) {
            Some(rule) => limits.take(rule, client, 1),
            None => Ok(()),
        }
    }

    /// Counts an answer to a bad token; beyond the limit the answer becomes 429. Counted after the
    /// check and not before, so that no client can lock out others behind the same address.
    fn count_bad_token(&self, client: Option<ClientAddr>, response: Response) -> Response {
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
