//! Names of subjects, streams, buckets and keys.

use std::fmt::Write;

use barrage_protocol::Digest;

use super::partition::partition;
use crate::log::Topic;
use crate::settings::change::SettingKey;

/// All names of one installation. The names of a single partition have no number.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
    partitions: u16,
}

impl Names {
    /// Returns `None` when the prefix cannot be part of a name.
    pub(crate) fn new(prefix: &str, partitions: u16) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let valid = !prefix.is_empty() && prefix.len() <= 64 && prefix.bytes().all(allowed);
        valid.then(|| Names { prefix: prefix.into(), partitions })
    }

    pub(crate) fn partitions(&self) -> u16 {
        self.partitions
    }

    /// Returns the partition of a topic that never moved.
    pub(crate) fn first(&self, topic: &Topic) -> u16 {
        partition(topic, self.partitions)
    }

    /// Returns the name of a partition's stream. It contains the number of partitions: streams of
    /// another number are other streams, and servers refuse two that store the same subjects.
    pub(crate) fn stream(&self, partition: u16) -> String {
        match self.partitions {
            count if partition >= count => format!("{}_more_{partition}", self.prefix),
            1 => format!("{}_messages", self.prefix),
            count => format!("{}_messages_{partition}_of_{count}", self.prefix),
        }
    }

    /// Returns the names that an existing stream of this installation was declared with.
    pub(crate) fn of_declared(&self, stream: &str) -> Option<Self> {
        let rest = stream.strip_prefix(&self.prefix)?.strip_prefix("_messages")?;
        let partitions = match rest.strip_prefix('_') {
            None => 1,
            Some(numbers) => numbers.split_once("_of_")?.1.parse().ok()?,
        };
        let made = Names { prefix: self.prefix.clone(), partitions };
        (0..partitions).any(|partition| made.stream(partition) == stream).then_some(made)
    }

    pub(crate) fn settings_bucket(&self) -> String {
        format!("{}_settings", self.prefix)
    }

    /// Returns the name of the stream behind the settings' bucket.
    pub(crate) fn settings_stream(&self) -> String {
        format!("KV_{}", self.settings_bucket())
    }

    /// Returns whether a stream is a partition of the message log, also of another number of partitions.
    pub(crate) fn is_log(&self, stream: &str) -> bool {
        let more = |number: &str| number.parse::<u16>().is_ok();
        self.of_declared(stream).is_some()
            || stream
                .strip_prefix(&self.prefix)
                .and_then(|rest| rest.strip_prefix("_more_"))
                .is_some_and(more)
    }

    /// Returns whether a backup has a stream: partitions of the log, lanes of letters, and settings.
    pub(crate) fn is_saved(&self, stream: &str) -> bool {
        let of_lane = |rest: &str| rest.strip_prefix("_inbox_").is_some_and(|lane| lane.contains("_of_"));
        self.is_log(stream)
            || stream == self.settings_stream()
            || stream.strip_prefix(&self.prefix).is_some_and(of_lane)
    }

    pub(crate) fn instances_bucket(&self) -> String {
        format!("{}_instances", self.prefix)
    }

    /// Returns the subject on which a topic's messages are published and stored in a partition.
    pub(crate) fn input(&self, partition: u16, topic: &Topic) -> String {
        format!("{}{}", self.input_of(partition), topic_tokens(topic))
    }

    /// Returns the subject of the messages that close a topic in a partition.
    pub(crate) fn gate(&self, partition: u16, topic: &Topic) -> String {
        format!("{}gate.{}", self.input_of(partition), topic_tokens(topic))
    }

    /// Returns the subject of one of the messages behind a gate, which publishes are checked against.
    pub(crate) fn lane(&self, partition: u16, lane: u64, topic: &Topic) -> String {
        format!("{}lane.{lane}.{}", self.input_of(partition), topic_tokens(topic))
    }

    /// Returns the subject on which a topic's stored messages are republished, and its pulses sent.
    pub(crate) fn output(&self, topic: &Topic) -> String {
        format!("{}.out.{}", self.prefix, topic_tokens(topic))
    }

    /// Returns the first tokens of the subjects of a partition.
    fn input_of(&self, partition: u16) -> String {
        match self.partitions {
            // The streams of the first start may store all subjects that begin with `in`.
            count if partition >= count => format!("{}.more.{partition}.", self.prefix),
            1 => format!("{}.in.", self.prefix),
            _ => format!("{}.in.{partition}.", self.prefix),
        }
    }

    /// Returns the wildcard over the subjects of all streams.
    pub(crate) fn every_input(&self) -> String {
        format!("{}.in.>", self.prefix)
    }

    pub(crate) fn every_input_of(&self, partition: u16) -> String {
        format!("{}>", self.input_of(partition))
    }

    pub(crate) fn every_output(&self) -> String {
        format!("{}.out.>", self.prefix)
    }

    pub(crate) fn every_room_input_of(&self, partition: u16) -> String {
        format!("{}room.*", self.input_of(partition))
    }
}

/// Returns a topic as the last tokens of a subject. A room id has neither dots nor wildcards.
pub(crate) fn topic_tokens(topic: &Topic) -> String {
    match topic {
        Topic::Room(room) => format!("room.{room}"),
        Topic::Direct => "direct".into(),
    }
}

/// Key under which all switches are stored together.
pub(crate) const SWITCHES_KEY: &str = "switches";
/// Key under which the sampling of traces is stored.
const SAMPLING_KEY: &str = "sampling";
/// Key of the platform's emotes; a room's key has the room after a dot.
const EMOTES: &str = "emotes";
/// Key of the revocation of all tokens; a user's key has the user after a dot.
const REVOKED: &str = "revoked";
/// Key of a removed medium, which has the digest after a dot.
const REMOVED: &str = "removed";
/// Key of the wanted number of partitions.
const PARTITIONS_KEY: &str = "partitions";

impl SettingKey {
    pub(crate) fn text(&self) -> String {
        match self {
            SettingKey::Switches => SWITCHES_KEY.into(),
            SettingKey::Sampling => SAMPLING_KEY.into(),
            SettingKey::Room(room) => format!("room.{room}"),
            SettingKey::Restriction(room, user) => format!("restriction.{room}.{}", escape(user.as_str())),
            SettingKey::Roles(room) => format!("roles.{room}"),
            SettingKey::Actions(room) => format!("actions.{room}"),
            SettingKey::Attributes(room) => format!("attributes.{room}"),
            SettingKey::SuperChats(room) => format!("super_chats.{room}"),
            SettingKey::Reviews(room) => format!("reviews.{room}"),
            SettingKey::Words(room) => format!("words.{room}"),
            SettingKey::Emotes(None) => EMOTES.into(),
            SettingKey::Emotes(Some(room)) => format!("{EMOTES}.{room}"),
            SettingKey::Partitions => PARTITIONS_KEY.into(),
            SettingKey::Place(room) => format!("place.{room}"),
            SettingKey::RemovedMedium(digest) => format!("{REMOVED}.{digest}"),
            SettingKey::Revocation(None) => REVOKED.into(),
            SettingKey::Revocation(Some(user)) => format!("{REVOKED}.{}", escape(user.as_str())),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let key = match (parts.next()?, parts.next(), parts.next()) {
            (SWITCHES_KEY, None, None) => SettingKey::Switches,
            (SAMPLING_KEY, None, None) => SettingKey::Sampling,
            (EMOTES, None, None) => SettingKey::Emotes(None),
            (EMOTES, Some(room), None) => SettingKey::Emotes(Some(room.parse().ok()?)),
            (PARTITIONS_KEY, None, None) => SettingKey::Partitions,
            ("place", Some(room), None) => SettingKey::Place(room.parse().ok()?),
            (REMOVED, Some(digest), None) => SettingKey::RemovedMedium(Digest::parse(digest).ok()?),
            (REVOKED, None, None) => SettingKey::Revocation(None),
            (REVOKED, Some(user), None) => SettingKey::Revocation(Some(unescape(user)?.parse().ok()?)),
            ("room", Some(room), None) => SettingKey::Room(room.parse().ok()?),
            ("roles", Some(room), None) => SettingKey::Roles(room.parse().ok()?),
            ("actions", Some(room), None) => SettingKey::Actions(room.parse().ok()?),
            ("attributes", Some(room), None) => SettingKey::Attributes(room.parse().ok()?),
            ("super_chats", Some(room), None) => SettingKey::SuperChats(room.parse().ok()?),
            ("reviews", Some(room), None) => SettingKey::Reviews(room.parse().ok()?),
            ("words", Some(room), None) => SettingKey::Words(room.parse().ok()?),
            ("restriction", Some(room), Some(user)) => {
                SettingKey::Restriction(room.parse().ok()?, unescape(user)?.parse().ok()?)
            }
            _ => return None,
        };
        parts.next().is_none().then_some(key)
    }
}

/// Writes bytes that a key may not contain as `=` and two hexadecimal digits.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "={byte:02X}").expect("writing to a string cannot fail");
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
    use barrage_protocol::{RoomId, UserId};
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
            let user: UserId = "u:1".parse().unwrap();
            for key in [
                SettingKey::Room(room.clone()),
                SettingKey::Roles(room.clone()),
                SettingKey::Actions(room.clone()),
                SettingKey::Attributes(room.clone()),
                SettingKey::SuperChats(room.clone()),
                SettingKey::Reviews(room.clone()),
                SettingKey::Words(room.clone()),
                SettingKey::Partitions,
                SettingKey::Place(room.clone()),
                SettingKey::Emotes(None),
                SettingKey::Emotes(Some(room)),
                SettingKey::RemovedMedium(Digest::new([7; 32])),
                SettingKey::Revocation(None),
                SettingKey::Revocation(Some(user)),
            ] {
                prop_assert_eq!(SettingKey::parse(&key.text()), Some(key));
            }
        }

        #[test]
        fn unknown_keys_do_not_panic(text in "[a-z=.0-9A-Zä]{0,30}") {
            SettingKey::parse(&text);
        }
    }

    #[test]
    fn a_prefix_is_one_token() {
        assert!(Names::new("barrage-2", 1).is_some());
        for bad in ["", "a.b", "*", ">", "a b"] {
            assert!(Names::new(bad, 1).is_none(), "{bad:?}");
        }
    }

    /// These names are stored: a change would lose the messages of existing installations.
    #[test]
    fn names_of_a_single_partition_have_no_number() {
        let one = Names::new("p", 1).unwrap();
        assert_eq!(
            (one.stream(0).as_str(), one.input(0, &Topic::Direct).as_str()),
            ("p_messages", "p.in.direct")
        );
        assert_eq!(
            (one.every_input_of(0).as_str(), one.every_room_input_of(0).as_str()),
            ("p.in.>", "p.in.room.*")
        );
        let three = Names::new("p", 3).unwrap();
        assert_eq!(
            (three.stream(2).as_str(), three.every_input_of(2).as_str()),
            ("p_messages_2_of_3", "p.in.2.>")
        );
        let room = Topic::Room("demo".parse().unwrap());
        assert_eq!(three.input(three.first(&room), &room), format!("p.in.{}.room.demo", three.first(&room)));
        assert_eq!(
            (three.stream(3), three.input(3, &room)),
            ("p_more_3".into(), "p.more.3.room.demo".into())
        );
        assert_eq!((one.stream(1), one.every_input_of(1)), ("p_more_1".into(), "p.more.1.>".into()));
        assert_eq!(
            (one.gate(0, &room), one.lane(1, 2, &room)),
            ("p.in.gate.room.demo".into(), "p.more.1.lane.2.room.demo".into())
        );
        assert_eq!(three.output(&room), one.output(&room));
    }

    #[test]
    fn a_streams_name_contains_the_number_of_partitions() {
        let names = Names::new("p", 5).unwrap();
        let declared = |stream: &str| names.of_declared(stream).map(|names| names.partitions());
        assert_eq!((declared("p_messages"), declared("p_messages_2_of_3")), (Some(1), Some(3)));
        for other in
            ["p_messages_3_of_3", "p_messages_0_of_1", "q_messages", "p_messages_x", "p_messages_0_of_x"]
        {
            assert_eq!(declared(other), None, "{other}");
        }
    }
}
