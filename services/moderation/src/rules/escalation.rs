//! Escalation: senders whose messages hit rules again and again are muted.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use barrage_protocol::{MessageId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use super::sightings::{Halves, Sightings};

/// `[moderation.escalation]`: a number of messages that hit a rule within a time mute their sender in
/// that room. Hits of rules in shadow mode do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EscalationConfig {
    /// Number of the message with which the mute begins. Default 0: off.
    pub hits: u32,
    /// Time within which messages are counted. Default 10.
    pub window_mins: u64,
    /// Length of the mute. Default 10.
    pub mute_mins: u64,
    /// Senders whose hits are counted. Default 50000, about 10 MB. At the bound the half with the
    /// oldest hits is forgotten.
    pub keys_max: usize,
}

impl Default for EscalationConfig {
    fn default() -> Self {
        EscalationConfig { hits: 0, window_mins: 10, mute_mins: 10, keys_max: 50_000 }
    }
}

/// Counts hits by room and sender.
#[derive(Debug)]
pub(crate) struct Escalation {
    config: EscalationConfig,
    hasher: RandomState,
    hits: Halves<u64, Sightings>,
}

impl Escalation {
    pub(crate) fn new(config: EscalationConfig) -> Self {
        let hits = Halves::new(config.keys_max);
        Escalation { config, hasher: RandomState::new(), hits }
    }

    /// Counts a message that hit a rule, once. Returns the length of the mute that the message causes.
    /// A mute resets the count.
    pub(crate) fn hit(
        &mut self,
        room: &RoomId,
        user: &UserId,
        id: &MessageId,
        now: Duration,
    ) -> Option<Duration> {
        let before = self.config.hits.checked_sub(1)?;
        let window = Duration::from_secs(self.config.window_mins.saturating_mul(60));
        let hits = self.hits.entry(self.hasher.hash_one((room, user)));
        if hits.admit(self.hasher.hash_one(id), before, window, now) {
            return None;
        }
        *hits = Sightings::default();
        Some(Duration::from_secs(self.config.mute_mins.saturating_mul(60)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn third_hit_in_the_window_mutes() {
        let config =
            EscalationConfig { hits: 3, window_mins: 1, mute_mins: 2, ..EscalationConfig::default() };
        let mut escalation = Escalation::new(config);
        let mut hit = |room: &str, id: &str, secs| {
            let (room, user) = (RoomId::parse(room).unwrap(), UserId::parse("u").unwrap());
            escalation.hit(&room, &user, &MessageId::parse(id).unwrap(), Duration::from_secs(secs))
        };
        let mute = Some(Duration::from_secs(120));
        assert_eq!(
            [hit("r", "1", 0), hit("r", "2", 1), hit("r", "2", 2)],
            [None; 3],
            "one message is one hit"
        );
        assert_eq!(hit("other", "3", 2), None, "rooms are counted apart");
        assert_eq!(hit("r", "3", 59), mute);
        assert_eq!([hit("r", "4", 60), hit("r", "5", 60)], [None; 2], "the count was reset");
        assert_eq!([hit("r", "6", 120), hit("r", "7", 121)], [None; 2], "the older ones are forgotten");
        assert_eq!(hit("r", "8", 122), mute);
        let mut off = Escalation::new(EscalationConfig::default());
        let (room, user) = (RoomId::parse("r").unwrap(), UserId::parse("u").unwrap());
        for n in 0..100 {
            let id = MessageId::parse(&n.to_string()).unwrap();
            assert_eq!(off.hit(&room, &user, &id, Duration::ZERO), None);
        }
    }
}
