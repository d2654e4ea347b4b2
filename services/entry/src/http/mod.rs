//! HTTP on top of entry: the public routes and the admin routes.

mod admin;
mod prewarm;
mod routes;

pub use admin::admin_router;
pub use routes::router;
