//! HTTP on top of the uplink: the public routes and their handlers.

mod actions;
mod attributes;
mod caller;
mod dplayer;
mod emotes;
mod export;
mod gallery;
mod guest;
mod history;
mod history_access;
mod inbox;
mod offered;
mod operations;
mod polls;
mod posts;
mod reviews;
mod routes;
mod tokens;
mod tunnel;
mod words;

pub use guest::guest_router;
pub use operations::operations;
pub use posts::direct_route;
#[doc(hidden)]
pub use tunnel::count_tunnel_requests;

pub use routes::{admin_router, router};
