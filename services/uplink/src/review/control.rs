//! The one path of a review: queue, lock, decision, effect, audit log, answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    Bus, BusError, Change, ChangeError, Draft, HeldMessage, ReviewChange, ReviewItem, ReviewQueue, Settings,
    Topic, Verdict,
};
use barrage_moderation::RuleHit;
use barrage_protocol::action::Action;
use barrage_protocol::code::Refusal;
use barrage_protocol::review::{
    ReportAnswer, ReportRequest, Review, ReviewAnswer, ReviewDecision, ReviewKind, ReviewList, ReviewRequest,
    ReviewSettings,
};
use barrage_protocol::{Code, MessageId, RoomId, UserId};
use barrage_store::{AuditRecord, Store};
use barrage_token::{Identity, Role};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::outcome::Effect;
use super::queue::{
    FALLBACK, Queued, fallback, fallback_user, known, line, may_enter, moderator, queue_of, reported,
};
use super::{evidence, form, outcome};
use crate::action::rights::{self, Actor};
use crate::media::MediaLinks;
use crate::metrics::{ReviewEvent, UplinkMetrics};
use crate::record::AuditQueue;
use crate::room::{RoomControl, known_role};

/// Period in which due fallbacks and interrupted decisions are looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(1);
/// Age of a decision without a result after which another process carries it out.
const INTERRUPTED_MS: u64 = 5_000;
/// Maximum time of one decision.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_MS: u64 = 1_000;

/// The parts that reviews need.
pub(crate) struct ReviewParts {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) control: RoomControl,
    pub(crate) audit: Arc<AuditQueue>,
    pub(crate) metrics: UplinkMetrics,
    /// Signs the addresses of what waits: those of the post may have ended.
    pub(crate) media: MediaLinks,
}

/// Keeps the review queues of rooms, and carries out decisions, each once.
///
/// The queue is one value of the room in the settings, under compare-and-swap. A decision is stored
/// there before its effect, and its result after. A decision without a result was interrupted: the
/// same decision again carries it out, and so does every uplink after some seconds.
pub(crate) struct ReviewControl {
    parts: ReviewParts,
    /// Posts that a full queue did not take, by room; there are as many as rooms at most.
    overflowed: Mutex<HashMap<RoomId, u64>>,
}

impl ReviewControl {
    pub(crate) fn new(parts: ReviewParts) -> Self {
        ReviewControl { parts, overflowed: Mutex::default() }
    }

    /// Puts a checked post into the queue of its room. The post is durable there when this returns.
    ///
    /// # Errors
    /// `conflict` when the id waits with another text, `unavailable` when the bus does not answer.
    pub(crate) async fn enqueue(&self, draft: &Draft, hit: &RuleHit) -> Result<Queued, Refusal> {
        let (Some(user), Some(message)) = (&draft.sender, &draft.id) else { return Ok(Queued::Overflowed) };
        let id = form::review_id(&draft.room, user, message)?;
        let settings = self.parts.control.settings();
        if let Some(queue) = settings.reviews.get(&draft.room) {
            if let Some(known) = known(queue, &id, draft)? {
                return Ok(known);
            }
            if queue.is_full(ReviewKind::Message, user) {
                return Ok(self.overflow(&draft.room));
            }
        }
        let review = Review {
            id: id.clone(),
            kind: ReviewKind::Message,
            user: user.clone(),
            rule: hit.rule.clone(),
            detail: hit.detail.clone(),
            matched: hit.matched.clone(),
            message: serde_json::from_slice(&draft.body).ok(),
            report: None,
            at_ms: barrage_clock::unix_ms(),
            lock: None,
            fallback_at_ms: None,
        };
        let held = HeldMessage { class: draft.class, id: message.clone(), fingerprint: draft.fingerprint };
        let item = ReviewItem { review, held: Some(held), verdict: None };
        match self.change(&draft.room, ReviewChange::Add(Box::new(item))).await {
            Ok((before, after)) => {
                if before.find(&id).is_none() {
                    self.parts.metrics.reviewed(ReviewEvent::Queued);
                }
                Ok(known(&after, &id, draft)?.unwrap_or(Queued::Waiting(id)))
            }
            Err(BusError::Refused(ChangeError::ReviewsFull)) => Ok(self.overflow(&draft.room)),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the queue of a room for a moderator.
    ///
    /// # Errors
    /// `forbidden` for others, or why the room is not there for the caller.
    pub(crate) fn list(&self, room: &RoomId, by: &Identity) -> Result<ReviewList, Refusal> {
        let settings = self.parts.control.settings();
        moderator(&settings, room, by)?;
        let (queue, now_ms) = (queue_of(&settings, room), barrage_clock::unix_ms());
        let waiting = queue.items().iter().filter(|item| item.verdict.is_none());
        let reviews = waiting.map(|item| {
            let lock = item.review.lock.clone().filter(|lock| lock.until_ms > now_ms);
            let mut message = item.review.message.clone();
            message.iter_mut().for_each(|body| self.parts.media.renew(body));
            Review { lock, message, ..item.review.clone() }
        });
        let overflowed = self.overflowed.lock().get(room).copied().unwrap_or_default();
        Ok(ReviewList { settings: queue.settings(), reviews: reviews.collect(), overflowed })
    }

    /// Sets the fallback of a room.
    pub(crate) async fn configure(
        &self,
        room: &RoomId,
        by: &Identity,
        wanted: ReviewSettings,
    ) -> Result<ReviewSettings, Refusal> {
        let role = moderator(&self.parts.control.settings(), room, by)?;
        form::checked_settings(wanted)?;
        let (_, after) = self.change(room, ReviewChange::Settings(wanted)).await?;
        let detail = json!({ "role": role.label(), "settings": wanted });
        self.audit(line(room, &by.user, None, "review-settings", detail)).await;
        Ok(after.settings())
    }

    /// Takes one decision of a moderator. The answer comes when it is durable and in force.
    ///
    /// # Errors
    /// `conflict` when another moderator has the lock, or has decided otherwise; `not_found` for an
    /// unknown review.
    pub(crate) async fn decide(
        &self,
        room: &RoomId,
        by: &Identity,
        id: &MessageId,
        request: &ReviewRequest,
    ) -> Result<ReviewAnswer, Refusal> {
        let late = |_| {
            let message = "the decision was not confirmed in time; send it again";
            Err(Refusal::new(Code::Unavailable, message).retry_after_ms(RETRY_MS))
        };
        let deciding = self.decide_once(room, by, id, request);
        tokio::time::timeout(DECISION_TIMEOUT, deciding).await.unwrap_or_else(late)
    }

    async fn decide_once(
        &self,
        room: &RoomId,
        by: &Identity,
        id: &MessageId,
        request: &ReviewRequest,
    ) -> Result<ReviewAnswer, Refusal> {
        let settings = self.parts.control.settings();
        let role = moderator(&settings, room, by)?;
        let mute_secs = form::mute_secs(request)?;
        let user = || by.user.clone();
        let answer = |by: UserId, until_ms| {
            let (id, decision) = (id.clone(), request.decision);
            ReviewAnswer { id, decision, by, sequence: None, until_ms, duplicate: false }
        };
        let mut queue = queue_of(&settings, room);
        match request.decision {
            ReviewDecision::Take => {
                let (_, after) = self.change(room, ReviewChange::Take { id: id.clone(), by: user() }).await?;
                self.parts.metrics.reviewed(ReviewEvent::Taken);
                let lock = after.find(id).and_then(|item| item.review.lock.as_ref());
                return Ok(answer(user(), lock.map(|lock| lock.until_ms)));
            }
            ReviewDecision::Release => {
                self.change(room, ReviewChange::Release { id: id.clone(), by: user() }).await?;
                return Ok(answer(user(), None));
            }
            ReviewDecision::Approve | ReviewDecision::Deny | ReviewDecision::DenyAndMute => {}
        }
        if queue.find(id).is_none() && queue.decided(id).is_none() {
            // This uplink may be behind the one that listed it: the lock reads the stored queue.
            queue = self.change(room, ReviewChange::Take { id: id.clone(), by: user() }).await?.1;
        }
        if let Some(item) = queue.find(id) {
            self.refuse_without_right(&settings, room, (by, role), item, request.decision)?;
        }
        let verdict = self.verdict(room, request.decision, user(), mute_secs).await?;
        let (decided, duplicate) = self.settle(room, id, verdict, role.label(), &request.reason).await?;
        self.parts.metrics.decided(request.decision, duplicate);
        Ok(ReviewAnswer {
            sequence: decided.1.sequence,
            duplicate,
            ..answer(decided.0.by, decided.1.until_ms)
        })
    }

    /// Refuses a consequence for a user on whom the moderator must not act.
    fn refuse_without_right(
        &self,
        settings: &Settings,
        room: &RoomId,
        (by, role): (&Identity, Role),
        item: &ReviewItem,
        decision: ReviewDecision,
    ) -> Result<(), Refusal> {
        let user = &item.review.user;
        let recalled = item.review.report.as_ref().and_then(|report| report.sequence);
        let action = match (decision, recalled) {
            (ReviewDecision::DenyAndMute, _) => Action::Mute { user: user.clone(), secs: 1 },
            (ReviewDecision::Deny, Some(sequence)) => Action::Recall { sequence },
            _ => return Ok(()),
        };
        let target = Actor { user, role: known_role(settings, room, user) };
        rights::on(&action, Actor { user: &by.user, role }, target)
    }

    async fn verdict(
        &self,
        room: &RoomId,
        decision: ReviewDecision,
        by: UserId,
        mute_secs: u64,
    ) -> Result<Verdict, Refusal> {
        let after = self.parts.bus.last(&Topic::Room(room.clone())).await?;
        Ok(Verdict { decision, by, at_ms: barrage_clock::unix_ms(), mute_secs, after })
    }

    /// Stores a decision, carries out the one that is stored, and returns it with its effect, and whether
    /// it was stored before.
    async fn settle(
        &self,
        room: &RoomId,
        id: &MessageId,
        verdict: Verdict,
        role: &str,
        reason: &Option<String>,
    ) -> Result<((Verdict, Effect), bool), Refusal> {
        let change = ReviewChange::Decide { id: id.clone(), verdict };
        let (before, after) = self.change(room, change).await?;
        if let Some(decided) = after.decided(id) {
            let effect = Effect { sequence: decided.sequence, until_ms: decided.until_ms };
            return Ok(((decided.verdict.clone(), effect), true));
        }
        let item = after.find(id).ok_or(BusError::Refused(ChangeError::UnknownReview))?;
        let is_first = before.find(id).is_some_and(|item| item.verdict.is_none());
        let decided = self.finish(room, item, role, reason).await?;
        Ok((decided, !is_first))
    }

    /// Carries out a stored decision, writes it to the audit log, and stores its result.
    async fn finish(
        &self,
        room: &RoomId,
        item: &ReviewItem,
        role: &str,
        reason: &Option<String>,
    ) -> Result<(Verdict, Effect), Refusal> {
        let Some(verdict) = &item.verdict else {
            return Err(BusError::Refused(ChangeError::UnknownReview).into());
        };
        let parts = (&*self.parts.bus, &self.parts.control, &self.parts.media);
        let effect = outcome::carry_out(parts, room, item, verdict).await?;
        let Review { id, kind, user, rule, at_ms, .. } = &item.review;
        // Webhooks make their events of this line, whose times are those of the queue.
        let detail = json!({
            "review": id, "kind": kind, "rule": rule, "role": role, "reason": reason,
            "message": item.held.as_ref().map(|held| &held.id),
            "sequence": effect.sequence, "until_ms": effect.until_ms,
            "opened_at_ms": at_ms, "decided_at_ms": verdict.at_ms,
        });
        let action = format!("review-{}", verdict.decision.label().replace('_', "-"));
        self.audit(line(room, &verdict.by, Some(user), &action, detail)).await;
        let Effect { sequence, until_ms } = effect;
        self.change(room, ReviewChange::End { id: id.clone(), sequence, until_ms }).await?;
        Ok((verdict.clone(), effect))
    }

    /// Takes a viewer's report, with the last messages of the reported user.
    ///
    /// # Errors
    /// `rate_limited` when too many reports of this viewer, or of the room, wait.
    pub(crate) async fn report(
        &self,
        room: &RoomId,
        by: &Identity,
        request: ReportRequest,
    ) -> Result<ReportAnswer, Refusal> {
        let settings = self.parts.control.settings();
        may_enter(&settings, room, by)?;
        form::checked_report(&request, &by.user)?;
        let id = form::report_id(room, &request.user)?;
        let waits = queue_of(&settings, room);
        // Who joins a report adds no evidence: the first report has it.
        let evidence = match waits.find(&id) {
            Some(_) => Vec::new(),
            None => evidence::last_of(&*self.parts.bus, room, &request.user).await?,
        };
        let item = reported(id.clone(), &by.user, request, evidence);
        let (before, _) = self.change(room, ReviewChange::Add(Box::new(item))).await?;
        let report = before.find(&id).and_then(|item| item.review.report.as_ref());
        let duplicate = report.is_some_and(|report| report.reporters.contains(&by.user));
        if !duplicate {
            self.parts.metrics.reviewed(ReviewEvent::Reported);
        }
        Ok(ReportAnswer { review: id, duplicate })
    }

    /// Carries out due fallbacks and interrupted decisions, until the shutdown.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(SWEEP_PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.sweep(barrage_clock::unix_ms()).await,
                () = shutdown.cancelled() => return,
            }
        }
    }

    pub(super) async fn sweep(&self, now_ms: u64) {
        let settings = self.parts.control.settings();
        let waiting = settings.reviews.values().map(|queue| queue.items().len()).sum();
        self.parts.metrics.reviews_waiting(waiting);
        for (room, queue) in settings.reviews.iter() {
            for item in queue.items() {
                let result = match &item.verdict {
                    Some(verdict) if verdict.at_ms + INTERRUPTED_MS <= now_ms => {
                        self.finish(room, item, FALLBACK, &None).await.map(drop)
                    }
                    Some(_) => continue,
                    None => match fallback(&settings, room, queue, item, now_ms) {
                        Some(decision) => self.fall_back(room, item, decision).await,
                        None => continue,
                    },
                };
                if let Err(refusal) = result {
                    let code = refusal.code.label();
                    tracing::debug!(code, "a review was not decided by its fallback; trying again");
                }
            }
        }
    }

    async fn fall_back(
        &self,
        room: &RoomId,
        item: &ReviewItem,
        decision: ReviewDecision,
    ) -> Result<(), Refusal> {
        let verdict = self.verdict(room, decision, fallback_user(), 0).await?;
        let (_, duplicate) = self.settle(room, &item.review.id, verdict, FALLBACK, &None).await?;
        if !duplicate {
            self.parts.metrics.reviewed(match decision {
                ReviewDecision::Approve => ReviewEvent::FallbackApproved,
                _ => ReviewEvent::FallbackDenied,
            });
        }
        Ok(())
    }

    async fn change(
        &self,
        room: &RoomId,
        change: ReviewChange,
    ) -> Result<(ReviewQueue, ReviewQueue), BusError> {
        let changed = self.parts.bus.change(Change::Review { room: room.clone(), change }).await?;
        Ok((changed.reviews_before(), changed.reviews()))
    }

    async fn audit(&self, line: AuditRecord) {
        self.parts.audit.write_through(&*self.parts.store, line).await;
    }

    fn overflow(&self, room: &RoomId) -> Queued {
        *self.overflowed.lock().entry(room.clone()).or_default() += 1;
        self.parts.metrics.reviewed(ReviewEvent::Overflowed);
        Queued::Overflowed
    }
}
