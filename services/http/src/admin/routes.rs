//! Admin routes before their check: a type that cannot be served without it.

use axum::Router;

/// Routes of the admin API without a check. Only [`crate::AdminGate::guard`] makes a router of
/// them.
#[must_use = "AdminGate::guard serves them"]
#[derive(Debug, Default)]
pub struct AdminRoutes(Router);

impl AdminRoutes {
    /// Wraps the admin routes of one role.
    pub const fn new(router: Router) -> Self {
        AdminRoutes(router)
    }

    /// Adds the admin routes of another role of the process.
    pub fn merge(self, other: AdminRoutes) -> Self {
        AdminRoutes(self.0.merge(other.0))
    }

    pub(super) fn into_router(self) -> Router {
        self.0
    }
}
