//! The bus as one value: log, settings and registry of the same engine.

use crate::log::Log;
use crate::registry::Registry;
use crate::settings_store::SettingsStore;

/// All that an engine does, for the roles that need it whole (`Arc<dyn Bus>`). A part that needs
/// less takes one of the three traits.
pub trait Bus: Log + SettingsStore + Registry {}

impl<T: Log + SettingsStore + Registry> Bus for T {}
