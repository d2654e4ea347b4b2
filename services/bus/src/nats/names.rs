//! Subjects, streams, buckets and keys.

use std::fmt::Write;

use barrage_protocol::{RoomId, UserId};

use crate::bus::Topic;

/// All names of one installation.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    /// `None` when the prefix could not be part of a name.
    pub(crate) fn new(prefix: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let valid = !prefix.is_empty() && prefix.len() <= 64 && prefix.bytes().all(allowed);
        valid.then(|| Names { prefix: prefix.into() })
    }

    pub(crate) fn stream(&self) -> String {
        format!("{}_messages", self.prefix)
    }

    pub(crate) fn settings_bucket(&self) -> String {
        format!("{}_settings", self.prefix)
    }

    pub(crate) fn instances_bucket(&self) -> String {
        format!("{}_instances", self.prefix)
    }

    /// Where a topic's messages are published and stored.
    pub(crate) fn input(&self, topic: &Topic) -> String {
        format!("{}.in.{}", self.prefix, place(topic))
    }

    /// Where they appear once stored, and where pulses travel.
    pub(crate) fn output(&self, topic: &Topic) -> String {
        format!("{}.out.{}", self.prefix, place(topic))
    }

    pub(crate) fn every_input(&self) -> String {
        format!("{}.in.>", self.prefix)
    }

    pub(crate) fn every_output(&self) -> String {
        format!("{}.out.>", self.prefix)
    }

    pub(crate) fn every_room_input(&self) -> String {
        format!("{}.in.room.*", self.prefix)
    }
}

/// A topic as the end of a subject; a room id holds neither dots nor wildcards.
pub(crate) fn place(topic: &Topic) -> String {
    match topic {
        Topic::Room(room) => format!("room.{room}"),
        Topic::Direct => "direct".into(),
    }
}

/// Key of the switches.
pub(crate) const SWITCHES_KEY: &str = "switches";

/// A key of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SettingKey {
    Switches,
    Room(RoomId),
    Restriction(RoomId, UserId),
}

impl SettingKey {
    pub(crate) fn text(&self) -> String {
        match self {
            SettingKey::Switches => SWITCHES_KEY.into(),
            SettingKey::Room(room) => format!("room.{room}"),
            SettingKey::Restriction(room, user) => format!("restriction.{room}.{}", escape(user.as_str())),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let key = match (parts.next()?, parts.next(), parts.next()) {
            (SWITCHES_KEY, None, None) => SettingKey::Switches,
            ("room", Some(room), None) => SettingKey::Room(room.parse().ok()?),
            ("restriction", Some(room), Some(user)) => {
                SettingKey::Restriction(room.parse().ok()?, unescape(user)?.parse().ok()?)
            }
            _ => return None,
        };
        parts.next().is_none().then_some(key)
    }
}

/// Writes what a key may not hold as `=` and two hexadecimal digits.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "={byte:02X}").expect("a string takes everything");
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_read_back(room in "[A-Za-z0-9_-]{1,64}", user in "[A-Za-z0-9_.:@-]{1,64}") {
            let room: RoomId = room.parse().unwrap();
            let key = SettingKey::Restriction(room.clone(), user.parse().unwrap());
            let text = key.text();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=.".contains(&b)));
            prop_assert_eq!(text.split('.').count(), 3);
            prop_assert_eq!(SettingKey::parse(&text), Some(key));
            let key = SettingKey::Room(room);
            prop_assert_eq!(SettingKey::parse(&key.text()), Some(key));
        }

        #[test]
        fn foreign_keys_are_no_panic(text in "[a-z=.0-9A-Zä]{0,30}") {
            SettingKey::parse(&text);
        }
    }

    #[test]
    fn a_prefix_is_one_token() {
        assert!(Names::new("barrage-2").is_some());
        for bad in ["", "a.b", "*", ">", "a b"] {
            assert!(Names::new(bad).is_none(), "{bad:?}");
        }
    }
}
