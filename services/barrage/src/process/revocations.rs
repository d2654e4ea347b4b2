//! Copies the list of revoked tokens from the shared settings to the keyring.

use std::sync::Arc;

use barrage_bus::Bus;
use barrage_token::{Keyring, Revocations};

use crate::supervise::TaskResult;

/// Copies the list at once. The returned future copies it again after each change, until the bus is
/// closed.
pub(super) fn follow(bus: &Arc<dyn Bus>, keyring: Arc<Keyring>) -> impl Future<Output = TaskResult> + use<> {
    let mut settings = bus.settings();
    let mut known = Arc::clone(&settings.borrow_and_update().revocations);
    keyring.set_revocations(of_tokens(&known));
    async move {
        while settings.changed().await.is_ok() {
            let now = Arc::clone(&settings.borrow_and_update().revocations);
            // The allocation is the same until the list changes; other settings change far more often.
            if !Arc::ptr_eq(&known, &now) {
                keyring.set_revocations(of_tokens(&now));
                known = now;
            }
        }
        Ok(())
    }
}

fn of_tokens(settings: &barrage_bus::Revocations) -> Revocations {
    Revocations { by_user: settings.by_user.clone(), all_before: settings.all_before }
}
