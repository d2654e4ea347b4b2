//! The limits that a post meets, cheapest and most local first: address, user,
//! platform; then, for chat and free gifts alone, slow mode and the room's display quota.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use barrage_flow::{DisplaySample, Quota, QuotaKey, Rate, Rule, RuleError, Sampled, Subject};
use barrage_http::{ApiError, rate_limited};
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::post::Post;
use barrage_protocol::{Code, MessageId, RoomId, UserId};
use barrage_token::{Identity, Role};
use prometheus::IntCounterVec;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::gifts;
use crate::recent::Recent;
use crate::send::unix_ms;
use crate::trace::{Trace, Word};

/// Names of the rules, as the configuration has them.
pub const RULES: [&str; 5] =
    ["address_per_s", "user_per_s", "platform_per_s", "slow_mode", "room_display_chat_per_s"];

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
    /// Posts a second on one uplink instance, or on all together where limits are
    /// counted in Redis. Default 50000: below what the log
    /// takes, so that those over it hear it from us and not from a time-out.
    pub platform_per_s: u32,
    /// Seconds' worth that each of those may save up. Default 3.
    pub burst_secs: u32,
    /// Chat messages a second that a room shows; what exceeds it is `held`. Default
    /// 50: about what a person can read.
    pub room_display_chat_per_s: u32,
    /// Rules that only watch: what they would have refused or held passes, and is
    /// counted in `barrage_uplink_shadow_total`. Names as here, and `slow_mode`.
    /// Default none.
    pub shadow: Vec<String>,
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
            shadow: Vec::new(),
            rooms_max: 20_000,
        }
    }
}

impl LimitsConfig {
    /// Names in `shadow` that are no rules.
    pub fn unknown_shadow_rules(&self) -> impl Iterator<Item = &str> {
        self.shadow.iter().map(String::as_str).filter(|name| !RULES.contains(name))
    }
}

/// Why the limits are not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// Figures that make no sense.
    #[error(transparent)]
    Figures(#[from] RuleError),
    /// `shadow` names no rule.
    #[error("shadow: there is no rule {0}; there are {rules}", rules = RULES.join(", "))]
    Unknown(String),
    /// The list of gifts makes no sense.
    #[error("uplink.gifts: {0}")]
    Gifts(String),
}

/// The limits in force.
pub(crate) struct Limits {
    quota: Arc<dyn Quota>,
    config: LimitsConfig,
    rules: [(&'static str, Rate); 3],
    samples: Mutex<HashMap<RoomId, DisplaySample>>,
    /// Messages that slow mode let pass: their retries pass, too.
    spoken: Mutex<Recent<(RoomId, UserId, MessageId)>>,
    shadowed: IntCounterVec,
    origin: Instant,
}

impl Limits {
    pub(crate) fn new(
        config: LimitsConfig,
        recent_max: usize,
        quota: Arc<dyn Quota>,
        shadowed: IntCounterVec,
    ) -> Result<Self, LimitsError> {
        if let Some(unknown) = config.unknown_shadow_rules().next() {
            return Err(LimitsError::Unknown(unknown.to_owned()));
        }
        let rate = |per_s: u32| Rate::per_sec(per_s, per_s.saturating_mul(config.burst_secs.max(1)));
        let rules = [
            ("address_per_s", rate(config.address_per_s)?),
            ("user_per_s", rate(config.user_per_s)?),
            ("platform_per_s", rate(config.platform_per_s)?),
        ];
        DisplaySample::new(config.room_display_chat_per_s, Duration::ZERO)?;
        Ok(Limits {
            quota,
            config,
            rules,
            samples: Mutex::default(),
            spoken: Mutex::new(Recent::new(recent_max)),
            shadowed,
            origin: Instant::now(),
        })
    }

    /// Whether the rule only watches; counts what it would have done.
    fn is_shadow(&self, rule: &str) -> bool {
        let is_shadow = self.config.shadow.iter().any(|name| name == rule);
        if is_shadow {
            self.shadowed.with_label_values(&[rule]).inc();
        }
        is_shadow
    }

    /// One chat message per interval and viewer of a room; a retry of one that passed
    /// passes again, and the bus knows it as a duplicate.
    pub(crate) async fn slow_mode(
        &self,
        room: &RoomId,
        by: &Identity,
        id: &MessageId,
        secs: u32,
        trace: &mut Trace,
    ) -> Result<(), ApiError> {
        let (now_ms, interval_ms) = (unix_ms(), u64::from(secs) * 1_000);
        let message = (room.clone(), by.user.clone(), id.clone());
        if self.spoken().knows(&message, interval_ms, now_ms) {
            trace.step("slow_mode", Word::Pass, "sent again");
            return Ok(());
        }
        let key =
            QuotaKey { purpose: "slow_mode", subject: Subject::UserInRoom(by.user.clone(), room.clone()) };
        let Ok(rate) = Rate::new(1, Duration::from_secs(u64::from(secs)), 1) else { return Ok(()) };
        let verdict = self.quota.take(&key, 1, &Rule::Rate(rate), self.origin.elapsed()).await;
        if verdict.is_admit() || self.is_shadow("slow_mode") {
            let word = if verdict.is_admit() { Word::Pass } else { Word::Shadow };
            trace.step("slow_mode", word, format!("one message in {secs} s"));
            // It is there already only when it was sent twice at once.
            _ = self.spoken().take(message, interval_ms, now_ms);
            return Ok(());
        }
        let mut refusal = Refusal::new(Code::SlowMode, format!("slow mode: one message in {secs} s"));
        refusal.retry_after_ms = verdict.retry_after_ms();
        refusal.limit = Some(Box::new(LimitHit {
            rule: "slow_mode".into(),
            scope: "user_in_room".into(),
            limit: 1,
            remaining: 0,
            window_ms: interval_ms,
            offered: None,
        }));
        Err(ApiError(refusal))
    }

    fn spoken(&self) -> MutexGuard<'_, Recent<(RoomId, UserId, MessageId)>> {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner)
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
            if !verdict.is_admit() && !self.is_shadow(rule) {
                let message = format!("too many posts: {rule} admits {} a second", rate.units());
                let window_ms = 1_000 * u64::from(self.config.burst_secs.max(1));
                return Err(rate_limited(message, rule, scope, &verdict, window_ms));
            }
        }
        Ok(())
    }

    /// Whether the room shows this message; otherwise the quota that holds it back.
    pub(crate) fn display(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        trace: &mut Trace,
    ) -> Option<LimitHit> {
        // Who runs the room is always read.
        if by.role >= Role::Moderator || !gifts::obeys_room(post) {
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
        let Sampled::Held { offered_per_s } = sample.offer(hash(by, post.id()), 1, now) else {
            trace.step("room_display_chat_per_s", Word::Pass, "within the quota, or in the sample");
            return None;
        };
        drop(samples);
        let is_shadow = self.is_shadow("room_display_chat_per_s");
        let word = if is_shadow { Word::Shadow } else { Word::Held };
        let detail = format!("{offered_per_s} offered in the last second, {shown_per_s} are shown");
        trace.step("room_display_chat_per_s", word, detail);
        if is_shadow {
            return None;
        }
        Some(LimitHit {
            rule: "room_display_chat_per_s".into(),
            scope: "room".into(),
            limit: u64::from(shown_per_s),
            remaining: 0,
            window_ms: 1_000,
            offered: Some(u64::from(offered_per_s)),
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
