//! The bus as one value: log, settings and registry of the same engine.

use crate::log::Log;
use crate::registry::Registry;
use crate::settings_store::SettingsStore;

/// All that an engine does, for the roles that need it whole (`Arc<dyn Bus>`). A part that needs
/// less takes one of the three traits.
pub trait Bus: Log + SettingsStore + Registry {}

/// Waits until the bus may hold messages in more partitions than so many. For readers of whole partitions.
pub async fn grown(bus: &dyn Bus, partitions: u16) {
    let mut settings = bus.settings();
    loop {
        drop(settings.borrow_and_update());
        if bus.partitions() > partitions {
            return;
        }
        if settings.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl<T: Log + SettingsStore + Registry> Bus for T {}
