//! Surges: the chat of a room becomes much faster than it was. Pure.

use std::collections::HashMap;

use barrage_protocol::RoomId;
use serde::Serialize;

use crate::config::SurgeConfig;

/// Milliseconds of one bucket.
const BUCKET_MS: u64 = 5_000;
/// Buckets of the window: the newest two are "now", the others "before".
const BUCKETS: usize = 12;
const NOW_BUCKETS: usize = 2;
/// Rooms that are watched at the same time; beyond it, new rooms have no surges.
const ROOMS_MAX: usize = 10_000;

/// Figures of a surge: messages in ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Surge {
    /// Messages in the last ten seconds.
    pub(crate) messages: u32,
    /// Mean of ten seconds over the 50 seconds before.
    pub(crate) before: f64,
}

#[derive(Debug)]
struct Rate {
    counts: [u32; BUCKETS],
    newest: u64,
    first: u64,
    quiet_until_ms: u64,
}

/// Rates of the rooms of one partition. Forgotten at a restart: a surge needs a minute of chat before it.
#[derive(Debug)]
pub(crate) struct Surges {
    config: SurgeConfig,
    rooms: HashMap<RoomId, Rate>,
}

impl Surges {
    pub(crate) fn new(config: SurgeConfig) -> Self {
        Surges { config, rooms: HashMap::new() }
    }

    /// Counts a chat message; returns a surge that begins with it.
    pub(crate) fn seen(&mut self, room: &RoomId, at_ms: u64) -> Option<Surge> {
        let bucket = at_ms / BUCKET_MS;
        if !self.rooms.contains_key(room) {
            if self.rooms.len() >= ROOMS_MAX {
                self.rooms.retain(|_, rate| rate.newest + BUCKETS as u64 > bucket);
            }
            if self.rooms.len() >= ROOMS_MAX {
                return None;
            }
        }
        let rate = self.rooms.entry(room.clone()).or_insert(Rate {
            counts: [0; BUCKETS],
            newest: bucket,
            first: bucket,
            quiet_until_ms: 0,
        });
        rate.advance(bucket);
        let index = index_of(rate.newest);
        rate.counts[index] = rate.counts[index].saturating_add(1);
        let messages: u32 =
            (0..NOW_BUCKETS).map(|back| rate.counts[index_of(rate.newest + (BUCKETS - back) as u64)]).sum();
        let all: u32 = rate.counts.iter().sum();
        let before = f64::from(all - messages) * NOW_BUCKETS as f64 / (BUCKETS - NOW_BUCKETS) as f64;
        let is_known = rate.newest >= rate.first + BUCKETS as u64;
        let is_surge =
            messages >= self.config.messages_min && f64::from(messages) >= self.config.factor * before;
        if !is_known || !is_surge || at_ms < rate.quiet_until_ms {
            return None;
        }
        rate.quiet_until_ms = at_ms + self.config.quiet_secs * 1_000;
        Some(Surge { messages, before })
    }
}

impl Rate {
    /// Empties the buckets between the newest and this one. A time that steps back counts as the newest.
    fn advance(&mut self, bucket: u64) {
        let steps = bucket.saturating_sub(self.newest).min(BUCKETS as u64);
        for step in 1..=steps {
            self.counts[index_of(self.newest + step)] = 0;
        }
        if steps == BUCKETS as u64 {
            self.counts = [0; BUCKETS];
        }
        self.newest = self.newest.max(bucket);
    }
}

fn index_of(bucket: u64) -> usize {
    usize::try_from(bucket % BUCKETS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts `per_s` messages a second from `from_s` to `to_s`; returns the seconds of surges.
    fn chat(surges: &mut Surges, per_s: u64, seconds: std::ops::Range<u64>) -> Vec<u64> {
        let room: RoomId = "r".parse().unwrap();
        let mut found = Vec::new();
        for second in seconds {
            for n in 0..per_s {
                if surges.seen(&room, 1_000_000 + second * 1_000 + n).is_some() {
                    found.push(second);
                }
            }
        }
        found
    }

    #[test]
    fn a_jump_of_the_rate_is_one_surge() {
        let mut surges = Surges::new(SurgeConfig::default());
        assert_eq!(chat(&mut surges, 4, 0..90), [0_u64; 0], "a steady rate");
        let found = chat(&mut surges, 40, 90..120);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((92..100).contains(&found[0]), "{found:?}");
        assert_eq!(chat(&mut surges, 40, 120..390), [0_u64; 0], "the new rate is the usual one");
    }

    #[test]
    fn new_rooms_and_small_rooms_have_no_surge() {
        let mut surges = Surges::new(SurgeConfig::default());
        assert_eq!(chat(&mut surges, 50, 0..30), [0_u64; 0], "nothing is known of the minute before");
        let mut surges = Surges::new(SurgeConfig::default());
        chat(&mut surges, 1, 0..90);
        assert_eq!(chat(&mut surges, 5, 90..100), [0_u64; 0], "fifty messages are no surge");
    }

    #[test]
    fn a_quiet_minute_is_forgotten_and_time_may_step_back() {
        let mut surges = Surges::new(SurgeConfig::default());
        chat(&mut surges, 40, 0..90);
        assert_eq!(chat(&mut surges, 40, 500..505).len(), 1, "silence before");
        assert_eq!(chat(&mut surges, 1, 400..401), [0_u64; 0]);
        assert_eq!(surges.rooms.len(), 1);
    }
}
