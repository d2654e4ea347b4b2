//! `[trace.sampling]`: shares by class, the cap, and the watch list.

use barrage_part::{Problem, join};
use barrage_protocol::{Class, RoomId, UserId};
use serde_json::{Map, Value};

/// Maximum users, and maximum rooms, on the watch list.
const WATCHED_MAX: usize = 64;

barrage_part::part! {
    /// Share of messages that are traced, by class. The uplink decides first, for the spans of the post
    /// and the publish. Gateways and archivers (the downlink) trace a part of those. Both decide by the
    /// same random number of the message, so that a smaller share is a part of a larger one.
    @[derive(schemars::JsonSchema)]
    pub struct SamplingConfig {
        /// Share of chat that the uplink traces.
        uplink_chat: f64 = 1.0, between(0, 1);
        /// Share of gifts and super chats that the uplink traces.
        uplink_gift: f64 = 1.0, between(0, 1);
        /// Share of likes that the uplink traces.
        uplink_like: f64 = 0.01, between(0, 1);
        /// Chat and likes that one uplink traces each second at most; further ones are not traced.
        uplink_per_s_max: u32 = 100, between(1, 100_000);
        /// Gifts, and messages of watched users and rooms, that one uplink traces each second at most.
        uplink_precious_per_s_max: u32 = 1_000, between(1, 100_000);
        /// Share of chat for which gateways and archivers make spans of the batch.
        downlink_chat: f64 = 0.01, between(0, 1);
        /// Share of gifts and super chats for which gateways and archivers make spans of the batch.
        downlink_gift: f64 = 1.0, between(0, 1);
        /// Users whose messages are all traced, on the uplink and on the downlink; 64 at most.
        watch_users: Vec<String> = Vec::new();
        /// Rooms whose messages are all traced, on the uplink and on the downlink; 64 at most.
        watch_rooms: Vec<String> = Vec::new();
    }
}

/// Why a change of the sampling is refused.
#[derive(Debug, thiserror::Error)]
pub enum SamplingError {
    /// A key is unknown, or a value has another type.
    #[error("not keys of [trace.sampling]: {0}")]
    Keys(#[from] serde_json::Error),
    /// A value is out of range.
    #[error("{0}")]
    Range(String),
}

impl SamplingConfig {
    /// Returns the sampling with other values of these keys.
    ///
    /// # Errors
    /// When a key is unknown or a value is not valid.
    pub fn with(&self, values: &Map<String, Value>) -> Result<SamplingConfig, SamplingError> {
        let mut all = serde_json::to_value(self)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(values.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let changed: SamplingConfig = serde_json::from_value(all)?;
        let problem = changed.out_of_range("").into_iter().chain(changed.watch_problems("")).next();
        problem.map_or(Ok(changed), |problem| Err(SamplingError::Range(problem.to_string())))
    }

    /// Checks a change of keys, in which `null` stands for the value of the configuration.
    ///
    /// # Errors
    /// When a key is unknown or a value is not valid.
    pub fn check(patch: &Map<String, Value>) -> Result<(), SamplingError> {
        let defaults = serde_json::to_value(SamplingConfig::default())?;
        let values = patch.iter().map(|(key, value)| {
            let default = defaults.get(key).unwrap_or(value);
            (key.clone(), if value.is_null() { default.clone() } else { value.clone() })
        });
        SamplingConfig::default().with(&values.collect()).map(drop)
    }

    /// Returns the watch lists that are too long. `path` is the path of the table.
    #[must_use]
    pub fn watch_problems(&self, path: &str) -> Vec<Problem> {
        let lists = [("watch_users", &self.watch_users), ("watch_rooms", &self.watch_rooms)];
        let too_long = lists.into_iter().filter(|(_, watched)| watched.len() > WATCHED_MAX);
        let expected = format!("{WATCHED_MAX} entries at most");
        too_long.map(|(key, watched)| Problem::new(join(path, key), watched.len(), &expected)).collect()
    }

    /// Whether all messages of this user or this room are traced.
    #[must_use]
    pub fn watches(&self, user: Option<&UserId>, room: &RoomId) -> bool {
        let has = |watched: &[String], id: &str| watched.iter().any(|watched| watched == id);
        has(&self.watch_rooms, room.as_str())
            || user.is_some_and(|user| has(&self.watch_users, user.as_str()))
    }

    /// Returns the share of a class that the uplink traces.
    #[must_use]
    pub fn uplink_share(&self, class: Class) -> f64 {
        match class {
            Class::Gift | Class::Signal => self.uplink_gift,
            Class::Chat => self.uplink_chat,
            Class::Pulse => self.uplink_like,
        }
    }

    /// Returns the share of a class that gateways and archivers trace.
    #[must_use]
    pub fn downlink_share(&self, class: Class) -> f64 {
        match class {
            Class::Gift | Class::Signal => self.downlink_gift,
            Class::Chat | Class::Pulse => self.downlink_chat,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_change_keeps_the_other_keys_and_refuses_what_is_not_valid() {
        let config = SamplingConfig { uplink_chat: 0.5, ..SamplingConfig::default() };
        let changed = config.with(&map(&json!({ "downlink_chat": 1, "watch_rooms": ["a"] }))).unwrap();
        assert_eq!((changed.uplink_chat, changed.downlink_chat), (0.5, 1.0));
        assert!(changed.watches(None, &"a".parse().unwrap()));
        assert!(!changed.watches(Some(&"a".parse().unwrap()), &"b".parse().unwrap()));
        let many: Vec<_> = (0..65).map(|n| n.to_string()).collect();
        for bad in [json!({ "uplink": 1 }), json!({ "uplink_chat": 1.5 }), json!({ "watch_users": many })] {
            assert!(config.with(&map(&bad)).is_err(), "{bad}");
            assert!(SamplingConfig::check(&map(&bad)).is_err(), "{bad}");
        }
        assert!(SamplingConfig::check(&map(&json!({ "uplink_chat": null }))).is_ok());
        assert!(SamplingConfig::check(&map(&json!({ "no_such": null }))).is_err());
    }
}
