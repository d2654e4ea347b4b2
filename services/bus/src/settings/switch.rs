//! Switches that operators set on all instances at once: features to turn off, breakers to force.

use std::collections::BTreeMap;

use barrage_flow::Forced;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All switches; the default is the value of a switch that was never set.
///
/// Processes of two versions share the stored value while one replaces the other, so it is read by
/// [`Switches::read`], which refuses nothing that a newer version wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Switches {
    /// Uplinks answer likes `held` and do not count them.
    pub no_likes: bool,
    /// Gateways do not count joins: pulses carry no entries.
    pub no_entries: bool,
    /// Chat is shown in the plain style; likes and entries are dropped.
    pub text_only: bool,
    /// Uplinks answer chat of viewers `held` in every room.
    pub hold_chat: bool,
    /// Uplinks refuse all posts but those of admins.
    pub read_only: bool,
    /// Uplinks refuse requests for history, which read the store.
    pub history_off: bool,
    /// Uplinks refuse letters, groups and all other changes of inboxes. Reading goes on.
    pub no_letters: bool,
    /// Clients stop the search for longer heartbeat intervals and ping at the gateway's own.
    pub fixed_heartbeat: bool,
    /// Forces the breaker before Redis; open, each instance spends its own share of the limits.
    pub redis: Forced,
    /// Forces the breaker before the moderation hook.
    pub moderation_hook: Forced,
    /// Forces the breaker before the hook that decides about media; open, the fallback of the hook decides.
    pub media_hook: Forced,
    /// Switches of a newer version. This version does not obey them, and keeps them when it sets another.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Name, values and meaning of each switch, as operators see them.
const TABLE: [(&str, &str, &str); 11] = [
    ("no-likes", ON_OFF, "likes are answered `held` and not summed"),
    ("no-entries", ON_OFF, "joins are not counted"),
    ("text-only", ON_OFF, "chat is shown in the plain style; likes and entries are dropped"),
    ("hold-chat", ON_OFF, "chat of viewers is answered `held`: its sender alone sees it"),
    ("read-only", ON_OFF, "only admins post; everything else is refused, gifts included"),
    ("history-off", ON_OFF, "history is not read"),
    ("no-letters", ON_OFF, "letters, groups and other changes of inboxes are refused; reading goes on"),
    ("fixed-heartbeat", ON_OFF, "clients ping at `gateway.ping_interval_ms` and try no longer interval"),
    ("redis", BREAKER, "the breaker before Redis; open: each instance spends its share of the limits"),
    ("moderation-hook", BREAKER, "the breaker before the moderation hook; open: its fallback decides"),
    ("media-hook", BREAKER, "the breaker before the hook for media; open: the fallback of the hook decides"),
];
const ON_OFF: &str = "true, false";
const BREAKER: &str = "no, open, closed";

/// One switch, as the admin API and the console show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchView {
    /// Name of the switch, in kebab case, as commands take it.
    pub name: String,
    /// Current value of the switch, as JSON: a boolean or a text.
    pub value: Value,
    /// Values that the switch takes, for people.
    pub values: String,
    /// Effect of the switch when it is on or open, for people.
    pub meaning: String,
}

/// Why a switch was not set; the switches stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// The switch does not exist; the text lists those that do.
    #[error("there is no such switch; there are {}", TABLE.map(|(name, ..)| name).join(", "))]
    Unknown,
    /// The switch, named first, takes only the values named second.
    #[error("{0} takes one of {1}")]
    Value(&'static str, &'static str),
}

impl Switches {
    /// Reads stored switches. A switch of another version is kept as unknown; a value that this version does
    /// not have counts as not set.
    ///
    /// # Errors
    /// When the text is no JSON object.
    pub(crate) fn read(json: &[u8]) -> serde_json::Result<Switches> {
        let stored: BTreeMap<String, Value> = serde_json::from_slice(json)?;
        let mut switches = Switches::default();
        for (name, value) in stored {
            match switches.with(&name, value.clone()) {
                Ok(set) => switches = set,
                Err(SwitchError::Unknown) => drop(switches.unknown.insert(name, value)),
                Err(SwitchError::Value(name, _)) => {
                    tracing::warn!(switch = name, %value, "a switch has a value of another version; it counts as not set");
                }
            }
        }
        Ok(switches)
    }

    /// Lists all switches with their current values.
    #[must_use]
    pub fn list(&self) -> Vec<SwitchView> {
        let values = serde_json::to_value(self).expect("switches are plain data");
        let view = |(name, kind, meaning): (&str, &str, &str)| SwitchView {
            name: name.into(),
            value: values[name].clone(),
            values: kind.into(),
            meaning: meaning.into(),
        };
        TABLE.map(view).into()
    }

    /// Returns the switches with one of them set.
    pub fn with(&self, name: &str, value: Value) -> Result<Switches, SwitchError> {
        let (name, kind, _) = TABLE.into_iter().find(|row| row.0 == name).ok_or(SwitchError::Unknown)?;
        let mut values = serde_json::to_value(self).expect("switches are plain data");
        values[name] = value;
        serde_json::from_value(values).map_err(|_| SwitchError::Value(name, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_field_of_the_struct() {
        let fields = serde_json::to_value(Switches::default()).unwrap();
        let mut names: Vec<_> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        let mut table = TABLE.map(|row| row.0).to_vec();
        names.sort_unstable();
        table.sort_unstable();
        assert_eq!(names, table);
    }

    #[test]
    fn switches_of_a_newer_version_are_kept_and_hide_no_other() {
        let newer = br#"{"no-likes":true,"hold-gifts":{"above":5},"redis":"half","text-only":"yes"}"#;
        let read = Switches::read(newer).unwrap();
        assert!(read.no_likes && !read.text_only && read.redis == Forced::default());
        assert_eq!(read.list().len(), TABLE.len());
        let set = read.with("read-only", true.into()).unwrap();
        let stored = serde_json::to_value(&set).unwrap();
        assert_eq!((&stored["hold-gifts"]["above"], &stored["no-likes"]), (&5.into(), &true.into()));
        assert_eq!(Switches::read(stored.to_string().as_bytes()).unwrap(), set);
        assert!(Switches::read(b"[]").is_err());
    }

    #[test]
    fn a_switch_takes_only_its_own_values() {
        let set = Switches::default().with("no-likes", true.into()).unwrap();
        assert!(set.no_likes);
        let set = set.with("redis", "open".into()).unwrap();
        assert_eq!((set.redis, set.no_likes), (Forced::Open, true));
        assert_eq!(set.with("no-like", true.into()), Err(SwitchError::Unknown));
        assert!(matches!(set.with("no-likes", "open".into()), Err(SwitchError::Value("no-likes", _))));
        assert!(set.with("redis", true.into()).is_err());
    }
}
