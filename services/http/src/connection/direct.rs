//! A route that is answered without the router.
//!
//! The layers of a router cost more than the work of a small request: each is a service in a box, with a
//! future in another one. The route of posts has most requests of a platform, and goes past them.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use barrage_token::LastToken;
use http::request::Parts;

use crate::request::ClientAddr;

/// A POST to a direct route.
pub struct DirectRequest {
    /// Address of the client.
    pub client: ClientAddr,
    /// The last token of the connection.
    pub last_token: Arc<LastToken>,
    /// The header of the request.
    pub parts: Parts,
    /// The body, which may be arriving still.
    pub body: Body,
}

/// The answer to a request, when it is ready.
pub type DirectAnswer<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// Answers POSTs to the paths of one route. The router has the same route for all other requests, such as
/// those inside of a tunnel.
pub trait DirectRoute: Send + Sync {
    /// Returns the template of the route, as the router has it: for the metrics and the log.
    fn template(&self) -> &'static str;

    /// Whether the path is one of this route. A path that needs decoding is not.
    fn takes(&self, path: &str) -> bool;

    /// Answers a request whose path was taken.
    fn answer(&self, request: DirectRequest) -> DirectAnswer<'_>;
}
