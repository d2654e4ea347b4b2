//! Windows that are kept for a second at most. Of the readers that ask for one which is not there, one load
//! serves all.

use std::sync::Arc;
use std::time::Duration;

use barrage_cache::Cache;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId};
use tokio::sync::Semaphore;

use super::window::Window;
use crate::history_config::HistoryConfig;

/// Longest load of a window; then the next reader starts another one.
const LOAD_MAX: Duration = Duration::from_secs(10);
/// Milliseconds after which a reader that waited in vain may ask again.
const RETRY_MS: u64 = 2_000;

/// What decides which messages a window has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) room: RoomId,
    /// Moderation delay of the room; 0 for no delay.
    pub(super) delay_ms: u64,
    /// Number of the last signal of this process that hid messages: [`crate::room::Hidings`].
    pub(super) hidden: u64,
}

/// Windows by room. Those of at most `history.bytes_max` bytes are kept; beyond, the rooms that are read
/// least are loaded for each reader. Errors are not kept.
pub(super) struct Windows {
    kept: Cache<Key, Arc<Window>, Refusal>,
    waiting: Arc<Semaphore>,
    wait_max: Duration,
}

impl Windows {
    /// Makes an empty cache. `bytes_max` is its memory.
    pub(super) fn new(config: &HistoryConfig, bytes_max: u64) -> Self {
        let weight = |window: &Arc<Window>| u32::try_from(window.bytes()).unwrap_or(u32::MAX);
        // A window ends a second after the begin of its load, not of its insertion.
        let life = |window: &Arc<Window>| window.until.saturating_duration_since(barrage_clock::now());
        Windows {
            kept: Cache::weighed(bytes_max, weight, life),
            waiting: Arc::new(Semaphore::new(config.waiting_max.min(Semaphore::MAX_PERMITS))),
            wait_max: Duration::from_millis(config.wait_ms),
        }
    }

    /// Returns a window that may still be shown.
    pub(super) async fn find(&self, key: &Key) -> Option<Arc<Window>> {
        self.kept.get(key).await
    }

    /// Returns the window that a load makes, of all loads under this key that are under way the first. The load
    /// goes on when its reader leaves or gives up: those who come later get what it makes.
    ///
    /// # Errors
    /// `overloaded` when the load takes too long or too many wait; the error of the load.
    pub(super) async fn load(
        &self,
        key: Key,
        load: impl Future<Output = Result<Window, Refusal>> + Send + 'static,
    ) -> Result<Arc<Window>, Refusal> {
        let Ok(permit) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Err(overloaded("too many readers wait for pages of histories"));
        };
        let kept = self.kept.clone();
        let loading = tokio::spawn(async move {
            let loaded = kept.load(key, async move {
                let loaded = tokio::time::timeout(LOAD_MAX, load).await;
                loaded.unwrap_or_else(|_| Err(overloaded("the history takes too long to read"))).map(Arc::new)
            });
            let loaded = loaded.await.map_err(|refusal: Arc<Refusal>| (*refusal).clone());
            drop(permit);
            loaded
        });
        match tokio::time::timeout(self.wait_max, loading).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(error)) => {
                tracing::error!(%error, "the load of a history ended");
                Err(Refusal::new(Code::Internal, "the history could not be read"))
            }
            Err(_) => Err(overloaded("the history takes too long to read")),
        }
    }

    /// Frees the memory of windows that have ended.
    pub(super) async fn sweep(&self) {
        self.kept.sweep().await;
    }
}

fn overloaded(message: &str) -> Refusal {
    Refusal::new(Code::Overloaded, format!("{message}; come back later")).retry_after_ms(RETRY_MS)
}

#[cfg(test)]
mod tests;
