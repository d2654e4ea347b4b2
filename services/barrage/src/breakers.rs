//! Breakers that operators force by switches.

use std::sync::Arc;

use barrage_bus::Bus;
use barrage_moderation::Moderator;

/// Follows the switches for as long as the bus is there.
pub(crate) async fn follow(bus: Arc<dyn Bus>, moderator: Arc<Moderator>) {
    let mut settings = bus.settings();
    loop {
        let switches = settings.borrow_and_update().switches;
        if let Some(hook) = moderator.hook_breaker() {
            hook.force(switches.moderation_hook);
        }
        if settings.changed().await.is_err() {
            return;
        }
    }
}
