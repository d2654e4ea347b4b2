//! The services of notifications that senders have announced.

use std::sync::Arc;
use std::time::Duration;

use barrage_cache::Cache;
use barrage_protocol::code::Refusal;
use barrage_store::{InboxReads, PushService};

use super::refusals::unreadable;

/// Time for which the services of the senders are known.
const SERVICES_AGE: Duration = Duration::from_secs(5);

/// The services that senders have announced, for a few seconds.
pub(super) struct Services {
    store: Arc<dyn InboxReads>,
    known: Cache<(), Arc<Vec<PushService>>, barrage_store::InboxError>,
}

impl Services {
    /// Makes a cache that knows nothing yet.
    pub(super) fn new(store: Arc<dyn InboxReads>) -> Self {
        Services { store, known: Cache::new(1, SERVICES_AGE) }
    }

    /// Returns the services, at most some seconds old.
    pub(super) async fn get(&self) -> Result<Arc<Vec<PushService>>, Refusal> {
        let read = async { Ok(Arc::new(self.store.services().await?)) };
        let known = self.known.load((), read).await;
        known.map_err(|error| unreadable(&error))
    }
}
