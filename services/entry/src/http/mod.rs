//! HTTP on top of entry: the public routes and the admin routes.

mod admin;
mod operations;
mod prewarm;
mod routes;

pub use admin::admin_router;
pub use operations::operations;
pub use routes::{race_router, router};
