//! The gate of the admin API: one layer over the admin routes of every role.
//!
//! A role returns its admin routes as [`AdminRoutes`], which no server takes. Only
//! [`AdminGate::guard`] makes a router of them, so that a route without the check does not compile.

mod call;
mod failure;
mod gate;
mod routes;

pub use call::{AdminCall, AuditLog, AuditSink, RecordedElsewhere};
pub use gate::{ADMIN_BODY_BYTES_MAX, AdminGate};
pub use routes::AdminRoutes;
