//! The operator console: its page, and the admin routes that answer for the whole fleet.
//!
//! Any process with an admin listener serves it. The browser calls that process alone, and the
//! process asks the others at the admin URLs of the registry, with the token of the caller.

mod context;
mod fleet_calls;
mod message;
mod operations;
mod overview;
mod page;
mod process_state;
mod relay;
mod rooms;
mod tail;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};
use barrage_http::AdminRoutes;
use tokio::sync::Semaphore;

use self::context::Operator;
pub(crate) use self::context::OperatorParts;
use self::fleet_calls::FleetCalls;
use self::overview::OverviewCache;

pub(crate) use self::operations::operations;
pub(crate) use self::page::serve as serve_page;

/// Largest number of live tails of a process at the same time.
const TAILS_MAX: usize = 8;

/// Returns the admin routes that answer for the whole fleet. `http` builds the client that calls
/// other instances.
pub(crate) fn admin_router(
    parts: OperatorParts,
    http: reqwest::ClientBuilder,
) -> anyhow::Result<AdminRoutes> {
    let calls = FleetCalls::new(Arc::clone(&parts.bus), parts.own_url.clone(), http)?;
    let operator = Arc::new(Operator {
        calls,
        overview: OverviewCache::default(),
        tails: Arc::new(Semaphore::new(TAILS_MAX)),
        parts,
    });
    let routes = Router::new()
        .route("/v1/admin/overview", get(overview::handle))
        .route("/v1/admin/state", get(process_state::handle))
        .route("/v1/admin/messages/{id}", get(message::handle))
        .route("/v1/admin/instances/{role}/{id}/{call}", relayed())
        .route("/v1/admin/instances/{role}/{id}/{call}/{name}", relayed())
        .route("/v1/admin/rooms/{room}/tail", get(tail::handle))
        .with_state(operator);
    Ok(AdminRoutes::new(routes))
}

fn relayed() -> MethodRouter<Arc<Operator>> {
    get(relay::handle).post(relay::handle).put(relay::handle).delete(relay::handle)
}
