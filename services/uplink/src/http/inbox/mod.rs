//! The routes of letters, groups and the inbox.

mod admin;
mod caller;
mod groups;
mod letters;
mod lists;
mod operations;
mod own;
mod push;
mod routes;

pub(super) use admin::{operations as admin_operations, router as admin_router};
pub(super) use operations::operations;
pub(super) use routes::router;
