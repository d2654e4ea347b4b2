//! The limits that a post meets, cheapest and most local first: address, user, platform. Free
//! posts then meet slow mode and the room's display quota.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_counters::{Quota, QuotaKey, Subject};
use barrage_flow::{Rate, Rule, Sampled};
use barrage_http::rate_limited;
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::post::Post;
use barrage_protocol::{Code, MessageId, RoomId, UserId};
use barrage_token::Identity;
use parking_lot::Mutex;
use prometheus::IntCounterVec;
use sha2::{Digest, Sha256};

use super::recent::Recent;
use super::samples::{OfferedRate, Samples};
use super::{gifts, speak};
use crate::limits_config::{LimitsConfig, LimitsError};
use crate::record::{CheckResult, PostChecks};

/// The limits in force, shared by all requests of an uplink.
pub(super) struct Limits {
    quota: Arc<dyn Quota>,
    config: LimitsConfig,
    rules: [(&'static str, Rate); 3],
    samples: Mutex<Samples>,
    /// Messages that slow mode let pass. Their retries pass, too.
    passed_slow_mode: Mutex<Recent<(RoomId, UserId, MessageId)>>,
    /// Messages whose text was unique. Their retries pass, too.
    passed_unique: Mutex<Recent<(RoomId, UserId, MessageId)>>,
    shadowed: IntCounterVec,
    origin: Instant,
}

impl Limits {
    pub(super) fn new(
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
        let samples = Samples::new(config.room_display_chat_per_s, config.rooms_max)?;
        Ok(Limits {
            quota,
            config,
            rules,
            samples: Mutex::new(samples),
            passed_slow_mode: Mutex::new(Recent::new(recent_max)),
            passed_unique: Mutex::new(Recent::new(recent_max)),
            shadowed,
            origin: barrage_clock::now(),
        })
    }

    /// Whether the rule is in shadow mode. Counts the refusal that the rule would have made.
    fn is_shadow(&self, rule: &str) -> bool {
        let is_shadow = self.config.shadow.iter().any(|name| name == rule);
        if is_shadow {
            self.shadowed.with_label_values(&[rule]).inc();
        }
        is_shadow
    }

    /// Counts `cost` posts against the address, the user and the platform.
    pub(super) async fn take(
        &self,
        address: Option<IpAddr>,
        by: &Identity,
        cost: u32,
    ) -> Result<(), Refusal> {
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

    /// Admits one message per viewer of a room in `secs`. A retry of a message that passed, passes
    /// again, and the bus answers it as a duplicate.
    pub(super) async fn slow_mode(
        &self,
        room: &RoomId,
        by: &Identity,
        id: &MessageId,
        secs: u32,
        checks: &mut PostChecks,
    ) -> Result<(), Refusal> {
        let (now_ms, interval_ms) = (barrage_clock::unix_ms(), u64::from(secs) * 1_000);
        let message = (room.clone(), by.user.clone(), id.clone());
        if self.passed_slow_mode.lock().contains(&message, interval_ms, now_ms) {
            checks.step("slow_mode", CheckResult::Pass, "sent again");
            return Ok(());
        }
        let subject = Subject::UserInRoom(by.user.clone(), room.clone());
        let key = QuotaKey { purpose: "slow_mode", subject };
        let Ok(rate) = Rate::new(1, Duration::from_secs(u64::from(secs)), 1) else { return Ok(()) };
        let verdict = self.quota.take(&key, 1, &Rule::Rate(rate), self.origin.elapsed()).await;
        if verdict.is_admit() || self.is_shadow("slow_mode") {
            let result = if verdict.is_admit() { CheckResult::Pass } else { CheckResult::Shadow };
            checks.step("slow_mode", result, format!("one message in {secs} s"));
            // An error means that the same message arrived twice at once, and passed already.
            _ = self.passed_slow_mode.lock().take(message, interval_ms, now_ms);
            return Ok(());
        }
        let mut refusal = Refusal::new(Code::SlowMode, format!("slow mode: one message in {secs} s"));
        refusal.retry_after_ms = verdict.retry_after_ms();
        refusal.limit = Some(Box::new(LimitHit {
            limit: 1,
            window_ms: interval_ms,
            ..LimitHit::rule("slow_mode", "user_in_room")
        }));
        Err(refusal)
    }

    /// Admits a text once in `secs` in a room. A retry of a message that passed, passes again.
    pub(super) async fn unique(
        &self,
        room: &RoomId,
        by: &Identity,
        id: &MessageId,
        (text, secs): (&str, u32),
        checks: &mut PostChecks,
    ) -> Result<(), Refusal> {
        let (now_ms, window_ms) = (barrage_clock::unix_ms(), u64::from(secs) * 1_000);
        let message = (room.clone(), by.user.clone(), id.clone());
        if self.passed_unique.lock().contains(&message, window_ms, now_ms) {
            checks.step("speak_unique_secs", CheckResult::Pass, "sent again");
            return Ok(());
        }
        let subject = Subject::TextInRoom(speak::text_hash(text), room.clone());
        let key = QuotaKey { purpose: "speak_unique", subject };
        let Ok(rate) = Rate::new(1, Duration::from_secs(u64::from(secs)), 1) else { return Ok(()) };
        let verdict = self.quota.take(&key, 1, &Rule::Rate(rate), self.origin.elapsed()).await;
        if verdict.is_admit() {
            checks.step("speak_unique_secs", CheckResult::Pass, "");
            // An error means that the same message arrived twice at once, and passed already.
            _ = self.passed_unique.lock().take(message, window_ms, now_ms);
            return Ok(());
        }
        let mut refusal = speak::not_unique(secs);
        refusal.retry_after_ms = verdict.retry_after_ms();
        Err(refusal)
    }

    /// Returns the room's display quota when the quota holds this message back.
    pub(super) fn display(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        checks: &mut PostChecks,
    ) -> Option<LimitHit> {
        // Messages of those who run the room are always shown.
        if by.role.is_exempt() || !gifts::obeys_room(post) {
            return None;
        }
        let shown_per_s = self.config.room_display_chat_per_s;
        let offered_per_s = match self.sample(room, by, post.id())? {
            Sampled::Held { offered_per_s } => offered_per_s,
            Sampled::Shown => {
                checks.step(
                    "room_display_chat_per_s",
                    CheckResult::Pass,
                    "within the quota, or in the sample",
                );
                return None;
            }
        };
        let is_shadow = self.is_shadow("room_display_chat_per_s");
        let result = if is_shadow { CheckResult::Shadow } else { CheckResult::Held };
        let detail = format!("{offered_per_s} offered in the last second, {shown_per_s} are shown");
        checks.step("room_display_chat_per_s", result, detail);
        (!is_shadow).then(|| LimitHit {
            limit: u64::from(shown_per_s),
            window_ms: 1_000,
            offered: Some(u64::from(offered_per_s)),
            ..LimitHit::rule("room_display_chat_per_s", "room")
        })
    }

    /// Returns the rooms with the highest offered rate of chat, highest first.
    pub(super) fn most_offered(&self, rooms_max: usize) -> Vec<OfferedRate> {
        self.samples.lock().most_offered(rooms_max, self.origin.elapsed())
    }

    /// Offers a message to the room's sample. Returns `None` when `rooms_max` rooms are measured
    /// and none is idle.
    fn sample(&self, room: &RoomId, by: &Identity, id: &MessageId) -> Option<Sampled> {
        self.samples.lock().offer(room, sample_hash(by, id), self.origin.elapsed())
    }
}

/// Hashes a message for the display sample. The hash is the same on every instance, so that all
/// instances keep the same sample. The hash covers the sender, so that no id passes for every
/// sender.
fn sample_hash(by: &Identity, id: &MessageId) -> u64 {
    let digest =
        Sha256::new().chain_update(by.user.as_str()).chain_update([0]).chain_update(id.as_str()).finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"))
}
