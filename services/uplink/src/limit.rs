//! The limits that a post meets, cheapest and most local first: address, user,
//! platform; then, for chat alone, the room's display quota.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use barrage_flow::{DisplaySample, Quota, QuotaKey, Rate, Rule, RuleError, Sampled, Subject, Verdict};
use barrage_http::ApiError;
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::{Class, Code, MessageId, RoomId};
use barrage_token::{Identity, Role};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// `[uplink.limits]`: what senders may do. A rate of `n` a second admits bursts of
/// so many seconds' worth as `burst_secs` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Posts a second from one address (an IPv6 /64). Default 200: a school or an
    /// office behind one address chats; a script does not flood.
    pub address_per_s: u32,
    /// Posts a second by one user, in all rooms. Default 10: a combo of gifts passes.
    pub user_per_s: u32,
    /// Posts a second on one uplink instance. Default 50000: below what the log
    /// takes, so that those over it hear it from us and not from a time-out.
    pub platform_per_s: u32,
    /// Seconds' worth that each of those may save up. Default 3.
    pub burst_secs: u32,
    /// Chat messages a second that a room shows; what exceeds it is `held`. Default
    /// 50: about what a person can read.
    pub room_display_chat_per_s: u32,
    /// Rooms whose rate is measured; beyond, those that are idle are forgotten, and
    /// with none idle a new room is shown whole. Default 20000.
    pub rooms_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            address_per_s: 200,
            user_per_s: 10,
            platform_per_s: 50_000,
            burst_secs: 3,
            room_display_chat_per_s: 50,
            rooms_max: 20_000,
        }
    }
}

/// The limits in force.
pub(crate) struct Limits {
    quota: Arc<dyn Quota>,
    config: LimitsConfig,
    rules: [(&'static str, Rate); 3],
    samples: Mutex<HashMap<RoomId, DisplaySample>>,
    origin: Instant,
}

impl Limits {
    pub(crate) fn new(config: LimitsConfig, quota: Arc<dyn Quota>) -> Result<Self, RuleError> {
        let rate = |per_s: u32| Rate::per_sec(per_s, per_s.saturating_mul(config.burst_secs.max(1)));
        let rules = [
            ("address_per_s", rate(config.address_per_s)?),
            ("user_per_s", rate(config.user_per_s)?),
            ("platform_per_s", rate(config.platform_per_s)?),
        ];
        DisplaySample::new(config.room_display_chat_per_s, Duration::ZERO)?;
        Ok(Limits { quota, config, rules, samples: Mutex::default(), origin: Instant::now() })
    }

    /// Counts `cost` posts against address, user and platform.
    pub(crate) async fn take(
        &self,
        address: Option<std::net::IpAddr>,
        by: &Identity,
        cost: u32,
    ) -> Result<(), ApiError> {
        let now = self.origin.elapsed();
        let [of_address, of_user, of_platform] = self.rules;
        let subjects = [
            address.map(|address| (Subject::address(address), "address", of_address)),
            Some((Subject::User(by.user.clone()), "user", of_user)),
            Some((Subject::Platform, "platform", of_platform)),
        ];
        for (subject, scope, (rule, rate)) in subjects.into_iter().flatten() {
            let key = QuotaKey { purpose: rule, subject };
            let verdict = self.quota.take(&key, cost, &Rule::Rate(rate), now).await;
            if let Verdict::Refuse { limit, remaining, .. } = verdict {
                let message = format!("too many posts: {rule} admits {} a second", rate.units());
                let mut refusal = Refusal::new(Code::RateLimited, message);
                refusal.retry_after_ms = verdict.retry_after_ms();
                refusal.limit = Some(LimitHit {
                    rule: rule.into(),
                    scope: scope.into(),
                    limit: u64::from(limit),
                    remaining: u64::from(remaining),
                    window_ms: 1_000 * u64::from(self.config.burst_secs.max(1)),
                });
                return Err(ApiError(refusal));
            }
        }
        Ok(())
    }

    /// Whether the room shows this message; otherwise the quota that holds it back.
    pub(crate) fn display(
        &self,
        room: &RoomId,
        by: &Identity,
        class: Class,
        id: &MessageId,
    ) -> Option<LimitHit> {
        // Who runs the room is always read.
        if class != Class::Chat || by.role >= Role::Moderator {
            return None;
        }
        let now = self.origin.elapsed();
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= self.config.rooms_max && !samples.contains_key(room) {
            samples.retain(|_, sample| !sample.is_idle(now));
            if samples.len() >= self.config.rooms_max {
                return None;
            }
        }
        let shown_per_s = self.config.room_display_chat_per_s;
        let sample = samples.entry(room.clone()).or_insert_with(|| {
            DisplaySample::new(shown_per_s, now).expect("the same figures were accepted at start")
        });
        let Sampled::Held { offered_per_s } = sample.offer(hash(by, id), 1, now) else { return None };
        tracing::trace!(offered_per_s, "a message is held");
        Some(LimitHit {
            rule: "room_display_chat_per_s".into(),
            scope: "room".into(),
            limit: u64::from(shown_per_s),
            remaining: 0,
            window_ms: 1_000,
        })
    }
}

/// The same on every instance, so that all keep the same sample; the sender is part
/// of it, so that nobody finds an id that always passes for everybody.
fn hash(by: &Identity, id: &MessageId) -> u64 {
    let digest =
        Sha256::new().chain_update(by.user.as_str()).chain_update([0]).chain_update(id.as_str()).finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"))
}
