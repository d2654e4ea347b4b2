//! Reads configuration files: JSON when the extension is `.json`, TOML otherwise.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::ConfigError;

/// Returns the text of a file. The error contains the path.
pub fn text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })
}

/// Reads a file and parses it: as JSON when its name ends in `.json`, as TOML otherwise.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = text(path)?;
    let parsed = if path.extension().is_some_and(|ending| ending == "json") {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    parsed.map_err(|reason| ConfigError::Parse { path: path.into(), reason })
}
