//! The role of a process: its routes, and its tasks until the shutdown.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use barrage_guarded::Guarded;
use barrage_http::{AdminRoutes, AllowedOrigins};

use crate::asking::Asking;
use crate::media::Media;
use crate::{check, collect, http, review};

/// Time between two looks for expired uploads and for a changed file of denied digests.
const SWEEP: Duration = Duration::from_secs(30);

impl Media {
    /// Returns the public routes. Pages of `origins` may use them.
    pub fn router(self: &Arc<Self>, origins: &AllowedOrigins) -> Router {
        http::router(self, origins)
    }

    /// Returns the route of signed addresses, without a check of tokens: an address is the permission.
    pub fn signed_router(self: &Arc<Self>) -> Router {
        http::signed_router(self)
    }

    /// Returns the admin routes: media that wait for a moderator.
    pub fn admin_router(self: &Arc<Self>) -> AdminRoutes {
        http::admin_router(self)
    }

    /// Returns the breaker before the hook that decides about media, for the switches; `None` without `media.hook`.
    #[must_use]
    pub fn hook_breaker(&self) -> Option<&Guarded> {
        self.asking.as_ref().map(Asking::breaker)
    }

    /// Checks uploads and removes expired ones until the shutdown, then waits for requests that add bytes.
    pub async fn run(self: Arc<Self>) {
        http::end_whole(&self).await;
        let checking = check::run(Arc::clone(&self));
        let sweeping = async {
            let mut tick = tokio::time::interval(SWEEP);
            loop {
                tokio::select! {
                    _ = tick.tick() => self.sweep().await,
                    () = self.shutdown.cancelled() => return,
                }
            }
        };
        tokio::join!(checking, sweeping, collect::run(&self), review::run(&self));
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn sweep(&self) {
        for upload in self.spool.expired(barrage_clock::unix_ms()) {
            self.give_up(&upload).await;
        }
        self.denied.refresh();
        let (uploads, bytes) = self.spool.held();
        self.metrics.spool_uploads.set(i64::try_from(uploads).unwrap_or(i64::MAX));
        self.metrics.spool_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
