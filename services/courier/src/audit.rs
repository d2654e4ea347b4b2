//! Recounts one user a second: unread numbers must equal the items.

use std::sync::Arc;
use std::time::Duration;

use barrage_inbox::UserNumber;
use barrage_store::InboxStore;
use tokio_util::sync::CancellationToken;

use crate::metrics::CourierMetrics;

/// Time between two users.
const INTERVAL: Duration = Duration::from_secs(1);

/// Recounts until the shutdown, from a random user on. A database that does not answer is asked again a second later.
pub(crate) async fn run(store: Arc<dyn InboxStore>, metrics: CourierMetrics, shutdown: CancellationToken) {
    // Couriers of a fleet begin at different users.
    let mut next = UserNumber(i64::from(rand::random::<u16>()));
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        match store.recount(next).await {
            Ok(Some(recount)) => {
                metrics.recounted.inc();
                if recount.errors > 0 {
                    metrics.unread_errors.inc_by(recount.errors);
                    let (user, errors) = (recount.number.0, recount.errors);
                    tracing::error!(user, errors, "unread numbers of a user differ from the items");
                }
                next = UserNumber(recount.number.0 + 1);
            }
            Ok(None) => next = UserNumber(0),
            Err(error) => tracing::debug!(%error, "a user could not be recounted"),
        }
    }
}
