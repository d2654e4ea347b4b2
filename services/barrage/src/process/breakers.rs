//! Circuit breakers that operators force open or closed by switches.

use std::sync::Arc;

use barrage_bus::Bus;
use barrage_guarded::Guarded;
use barrage_moderation::Moderator;

/// Circuit breakers of this process that switches can force.
pub(crate) struct Breakers {
    /// Breaker before Redis, where limits are shared.
    pub(crate) redis: Option<Arc<Guarded>>,
    /// Owner of the breaker before the moderation hook.
    pub(crate) moderator: Arc<Moderator>,
}

impl Breakers {
    /// Applies the switches now and after each change, until the bus is closed.
    pub(super) async fn follow_switches(self, bus: Arc<dyn Bus>) {
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
