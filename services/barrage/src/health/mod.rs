//! Health of the process: `/healthz`, `/readyz`, `/metrics` and the fleet report.

mod readiness;
mod routes;

pub(crate) use readiness::{Checks, Readiness};
pub(crate) use routes::{HealthContext, admin_router, operations, router, vitals};
