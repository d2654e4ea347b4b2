//! The uplink's decision: share by class, watch list, and the caps. Pure: time is a parameter.

use std::time::Duration;

use barrage_flow::{Rate, TokenBucket};
use barrage_protocol::{Class, RoomId, SpanId, UserId};

use crate::sampling::SamplingConfig;

/// A post, as far as the decision depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Class of the message.
    pub class: Class,
    /// Sender of the message.
    pub user: &'a UserId,
    /// Room of the message.
    pub room: &'a RoomId,
}

/// The uplink's decision about one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The post is traced.
    Sampled,
    /// The post is outside of its class's share.
    Outside,
    /// The post is within the share, and the cap of this second is reached.
    Capped,
}

/// Decides which posts an uplink traces.
#[derive(Debug)]
pub struct Sampler {
    ordinary: TokenBucket,
    precious: TokenBucket,
}

impl Sampler {
    /// Creates a sampler with the caps of `config`.
    #[must_use]
    pub fn new(config: &SamplingConfig, now: Duration) -> Self {
        let full = |per_s| TokenBucket::full(rate(per_s), now);
        Sampler { ordinary: full(config.uplink_per_s_max), precious: full(config.uplink_precious_per_s_max) }
    }

    /// Applies changed caps of sampled posts.
    pub fn set_caps(&mut self, config: &SamplingConfig, now: Duration) {
        self.ordinary.set_rate(rate(config.uplink_per_s_max), now);
        self.precious.set_rate(rate(config.uplink_precious_per_s_max), now);
    }

    /// Decides about one post. `draw` is the random id that the message's publish will have.
    pub fn decide(
        &mut self,
        config: &SamplingConfig,
        candidate: &Candidate<'_>,
        draw: SpanId,
        now: Duration,
    ) -> Verdict {
        let is_watched = config.watches(Some(candidate.user), candidate.room);
        if !is_watched && !draw.is_within(config.uplink_share(candidate.class)) {
            return Verdict::Outside;
        }
        let is_precious = is_watched || candidate.class.is_precious();
        let cap = if is_precious { &mut self.precious } else { &mut self.ordinary };
        if cap.take(1, now).is_admit() { Verdict::Sampled } else { Verdict::Capped }
    }
}

/// Returns the rate of a cap: a whole second's messages may come at once. The configuration's range
/// excludes zero.
fn rate(per_s: u32) -> Rate {
    let per_s = per_s.max(1);
    Rate::per_sec(per_s, per_s).expect("the rate is above zero")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(share: f64, per_s: u32) -> SamplingConfig {
        SamplingConfig {
            uplink_chat: share,
            uplink_gift: 1.0,
            uplink_per_s_max: per_s,
            watch_users: vec!["watched".into()],
            ..SamplingConfig::default()
        }
    }

    /// Decides about one message of each draw, all within one second.
    fn sampled(config: &SamplingConfig, user: &str, class: Class, draws: &[u64]) -> Vec<u64> {
        let (user, room) = (user.parse().unwrap(), "r".parse().unwrap());
        let candidate = Candidate { class, user: &user, room: &room };
        let mut sampler = Sampler::new(config, Duration::ZERO);
        let mut is_sampled = |draw: u64| {
            sampler.decide(config, &candidate, SpanId::of(draw), Duration::ZERO) == Verdict::Sampled
        };
        draws.iter().copied().filter(|draw| is_sampled(*draw)).collect()
    }

    proptest! {
        /// A smaller share is a part of a larger one: whatever the downlink traces, the uplink traced.
        #[test]
        fn shares_are_nested(draws in prop::collection::vec(any::<u64>(), 1..200), one in 0.0..1.0, other in 0.0..1.0) {
            let of = |share| sampled(&config(share, 100_000), "u", Class::Chat, &draws);
            let (less, more) = (of(f64::min(one, other)), of(f64::max(one, other)));
            prop_assert!(less.iter().all(|draw| more.contains(draw)));
        }

        /// No second has more than its cap and a burst of one second.
        #[test]
        fn cap_bounds_ordinary_messages(cap in 1_u32..50, times_ms in prop::collection::vec(0_u64..3_000, 1..400)) {
            let config = config(1.0, cap);
            let (user, room) = ("u".parse().unwrap(), "r".parse().unwrap());
            let candidate = Candidate { class: Class::Chat, user: &user, room: &room };
            let mut sampler = Sampler::new(&config, Duration::ZERO);
            let mut times = times_ms;
            times.sort_unstable();
            let mut admitted = Vec::new();
            for ms in times {
                let verdict = sampler.decide(&config, &candidate, SpanId::of(1), Duration::from_millis(ms));
                prop_assert_ne!(verdict, Verdict::Outside);
                if verdict == Verdict::Sampled {
                    admitted.push(ms);
                }
            }
            for first in 0..admitted.len() {
                let within = admitted[first..].iter().filter(|ms| **ms < admitted[first] + 1_000).count();
                prop_assert!(within <= 2 * cap as usize);
            }
        }
    }

    #[test]
    fn gifts_and_watched_users_are_sampled_beyond_share_and_cap_of_chat() {
        let draws: Vec<u64> = (0..500).map(|n| u64::MAX - n).collect();
        let none = config(0.0, 1);
        assert!(sampled(&none, "u", Class::Chat, &draws).is_empty());
        assert_eq!(sampled(&none, "u", Class::Gift, &draws).len(), 500);
        assert_eq!(sampled(&none, "watched", Class::Chat, &draws).len(), 500);
        assert_eq!(sampled(&config(1.0, 7), "u", Class::Chat, &draws).len(), 7);
    }

    #[test]
    fn changed_caps_are_in_force_at_once() {
        let (user, room) = ("u".parse().unwrap(), "r".parse().unwrap());
        let candidate = Candidate { class: Class::Chat, user: &user, room: &room };
        let (small, large) = (config(1.0, 1), config(1.0, 1_000));
        let mut sampler = Sampler::new(&small, Duration::ZERO);
        let decide = |sampler: &mut Sampler, ms| {
            sampler.decide(&small, &candidate, SpanId::of(1), Duration::from_millis(ms))
        };
        assert_eq!(decide(&mut sampler, 0), Verdict::Sampled);
        assert_eq!(decide(&mut sampler, 1), Verdict::Capped);
        sampler.set_caps(&large, Duration::from_millis(1));
        assert_eq!(decide(&mut sampler, 10), Verdict::Sampled);
    }
}
