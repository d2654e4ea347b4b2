//! Sampling of traces, as operators change it while the platform runs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Keys of `[trace.sampling]` that operators set on all instances at once. They replace the values
/// of the configuration; the bus does not look into them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SamplingOverlay(Map<String, Value>);

impl SamplingOverlay {
    /// Returns the keys with their values.
    #[must_use]
    pub fn values(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Returns the overlay with other values of these keys. `null` removes a key, so that the value
    /// of the configuration is in force again.
    #[must_use]
    pub fn patched(&self, patch: &Map<String, Value>) -> SamplingOverlay {
        let mut values = self.0.clone();
        for (key, value) in patch {
            if value.is_null() {
                values.remove(key);
            } else {
                values.insert(key.clone(), value.clone());
            }
        }
        SamplingOverlay(values)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_replaces_its_keys_and_null_removes_them() {
        let map = |value: Value| value.as_object().cloned().unwrap();
        let first =
            SamplingOverlay::default().patched(&map(json!({ "watch_rooms": ["a"], "uplink_chat": 0.5 })));
        let second = first.patched(&map(json!({ "uplink_chat": null, "watch_rooms": ["b"] })));
        assert_eq!(second.values(), &map(json!({ "watch_rooms": ["b"] })));
    }
}
