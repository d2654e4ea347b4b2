//! Breakers that operators force by switches.

use std::sync::Arc;

use barrage_bus::Bus;
use barrage_flow::Guarded;
use barrage_moderation::Moderator;

/// The breakers of this process.
pub(crate) struct Breakers {
    /// Before Redis, where limits are shared.
    pub(crate) redis: Option<Arc<Guarded>>,
    /// Has the moderation hook's.
    pub(crate) moderator: Arc<Moderator>,
}

impl Breakers {
    /// Follows the switches for as long as the bus is there.
    pub(crate) async fn follow(self, bus: Arc<dyn Bus>) {
        let mut settings = bus.settings();
        loop {
            let switches = settings.borrow_and_update().switches;
            if let Some(redis) = &self.redis {
                redis.force(switches.redis);
            }
            if let Some(hook) = self.moderator.hook_breaker() {
                hook.force(switches.moderation_hook);
            }
            if settings.changed().await.is_err() {
                return;
            }
        }
    }
}
