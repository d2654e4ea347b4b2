//! Escalation: senders whose messages hit rules again and again are muted.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::sightings::{Halves, Sightings};
use barrage_protocol::{MessageId, RoomId, UserId};

barrage_part::part! {
    /// Mute of a sender in a room after several hits of rules. Hits in shadow mode do not count.
    @[derive(Eq)]
    pub struct EscalationConfig {
        /// Number of the hit that mutes the sender; 0 turns the mute off.
        hits: u32 = 0;
        /// Window of the hits, in minutes.
        window_mins: u64 = 10, between(1, 1_440);
        /// Length of the mute, in minutes.
        mute_mins: u64 = 10, between(1, 525_600);
        /// Senders whose hits are counted; about 10 MB when full. At the bound the half without hits for
        /// the longest starts again.
        keys_max: usize = 50_000, between(1, 1 << 26);
    }
}

/// Counts hits by room and sender, within the configured window.
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
        let hits = self.hits.entry(self.hasher.hash_one((room, user)), window, now);
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
