//! Revoked tokens on their way from the settings, which all processes share, to the keyring.

use std::sync::Arc;

use barrage_bus::Bus;
use barrage_token::{Keyring, Revocations};

use crate::supervise::TaskResult;

/// Sets the keyring's revocations to those of the settings at once; the future sets them again
/// when they change, for as long as the process runs.
pub(crate) fn follow(bus: &Arc<dyn Bus>, keyring: Arc<Keyring>) -> impl Future<Output = TaskResult> + use<> {
    let mut settings = bus.settings();
    let mut known = Arc::clone(&settings.borrow_and_update().revocations);
    keyring.set_revocations(of_tokens(&known));
    async move {
        while settings.changed().await.is_ok() {
            let now = Arc::clone(&settings.borrow_and_update().revocations);
            // The same allocation until it changes; settings change far more often.
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
