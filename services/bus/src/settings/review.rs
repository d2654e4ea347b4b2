//! The review queue of a room: what waits for a moderator, and what was decided last.
//!
//! A decision is stored before its effect, and its result after, so that a process that dies in
//! between leaves a decision that any other process can carry out. The first decision stays.

use std::sync::Arc;

use barrage_protocol::review::{Review, ReviewDecision, ReviewKind, ReviewLock, ReviewSettings};
use barrage_protocol::{Class, Digest, MessageId, Sequence, UserId};
use serde::{Deserialize, Serialize};

use super::error::ChangeError;

/// Messages that wait in one room at most; a further one stays held without a review.
pub const REVIEWS_PER_ROOM_MAX: usize = 100;
/// Messages of one sender that wait in one room at most, so that no sender fills the queue.
pub const REVIEWS_PER_SENDER_MAX: usize = 10;
/// Reported users of one room that wait at most; a further report is refused.
pub const REPORTS_PER_ROOM_MAX: usize = 50;
/// Reported users of one room that wait for one reporter at most.
pub const REPORTS_PER_REPORTER_MAX: usize = 5;
/// Bytes of one room's queue at most; the engines store it as one value.
pub(crate) const REVIEW_BYTES_MAX: usize = 256 * 1024;
/// Milliseconds after which a lock lapses.
pub const REVIEW_LOCK_MS: u64 = 60_000;
/// Milliseconds for which an approval counts as a use of its medium, until the message is in the archive.
const APPROVED_USE_MS: u64 = 24 * 3_600_000;
/// Decided reviews that a room remembers, so that a decision that comes again is answered.
const DECIDED_MAX: usize = 128;
/// Reporters of one user whose names are kept; further ones are counted alone.
const REPORTERS_MAX: usize = 20;

/// A message that waits, as the bus needs it to publish the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldMessage {
    /// Class of the message, which a post has.
    pub class: Class,
    /// Id that the sender chose.
    pub id: MessageId,
    /// Hash of the post as it was sent.
    pub fingerprint: u64,
}

/// A decision whose effect may still be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `Approve`, `Deny` or `DenyAndMute`.
    pub decision: ReviewDecision,
    /// Moderator who decided first, or `fallback`.
    pub by: UserId,
    /// Unix time of the decision, in milliseconds.
    pub at_ms: u64,
    /// Length of the mute in seconds; 0 without one.
    pub mute_secs: u64,
    /// Newest position of the room before the decision: the message is published after it.
    pub after: Sequence,
}

/// One entry of the queue, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewItem {
    /// The review as moderators see it.
    pub review: Review,
    /// What is published by an approval; `None` for a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldMessage>,
    /// The decision, until its effect is durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// A review that was decided, with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedReview {
    /// Id of the review.
    pub id: MessageId,
    /// The decision that took effect.
    pub verdict: Verdict,
    /// Position of the approved message, or of the recall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// End of the mute in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Medium of an approved message, which is on its way into the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Digest>,
}

/// Change of a room's review queue.
#[derive(Debug, Clone, PartialEq)]
pub enum ReviewChange {
    /// Sets the fallback of the room.
    Settings(ReviewSettings),
    /// Adds a message or a report. A known id stays as it is; a report joins the one that waits.
    Add(Box<ReviewItem>),
    /// Locks a review for a moderator, or makes the lock longer.
    Take {
        /// Id of the review.
        id: MessageId,
        /// Moderator who takes it.
        by: UserId,
    },
    /// Gives a moderator's lock back; changes nothing when another one has it.
    Release {
        /// Id of the review.
        id: MessageId,
        /// Moderator who gives it back.
        by: UserId,
    },
    /// Decides a review; the first decision stays.
    Decide {
        /// Id of the review.
        id: MessageId,
        /// The decision; a lock of another moderator refuses it.
        verdict: Verdict,
    },
    /// Removes a decided review from the queue, and remembers its result; the first result stays.
    End {
        /// Id of the review.
        id: MessageId,
        /// Position of the approved message, or of the recall.
        sequence: Option<Sequence>,
        /// End of the mute in Unix milliseconds.
        until_ms: Option<u64>,
    },
}

/// The review queue of one room. A clone shares its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct ReviewQueue(Arc<Stored>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    settings: ReviewSettings,
    items: Vec<ReviewItem>,
    decided: Vec<DecidedReview>,
}

impl From<Stored> for ReviewQueue {
    fn from(stored: Stored) -> Self {
        ReviewQueue(Arc::new(stored))
    }
}

impl From<ReviewQueue> for Stored {
    fn from(queue: ReviewQueue) -> Self {
        Arc::unwrap_or_clone(queue.0)
    }
}

impl ReviewQueue {
    /// Returns the settings of the queue, such as its fallback.
    #[must_use]
    pub fn settings(&self) -> ReviewSettings {
        self.0.settings
    }

    /// Returns the entries that wait, oldest first, those with an unfinished decision included.
    #[must_use]
    pub fn items(&self) -> &[ReviewItem] {
        &self.0.items
    }

    /// Returns an entry that waits; `None` for a decided or an unknown one.
    #[must_use]
    pub fn find(&self, id: &MessageId) -> Option<&ReviewItem> {
        self.0.items.iter().find(|item| item.review.id == *id)
    }

    /// Returns what was decided about a review; `None` while it waits, or when it is forgotten.
    #[must_use]
    pub fn decided(&self, id: &MessageId) -> Option<&DecidedReview> {
        self.0.decided.iter().find(|decided| decided.id == *id)
    }

    /// Returns whether a message with a medium waits here, or was approved within the last day.
    #[must_use]
    pub fn shows_medium(&self, digest: Digest, now_ms: u64) -> bool {
        let is_on_its_way = |decided: &DecidedReview| {
            decided.media == Some(digest) && decided.verdict.at_ms.saturating_add(APPROVED_USE_MS) > now_ms
        };
        self.0.items.iter().any(|item| medium(item) == Some(digest))
            || self.0.decided.iter().any(is_on_its_way)
    }

    /// Returns whether the queue takes no further entry of this kind about this user.
    #[must_use]
    pub fn is_full(&self, kind: ReviewKind, user: &UserId) -> bool {
        let max = match kind {
            ReviewKind::Message => REVIEWS_PER_ROOM_MAX,
            ReviewKind::Report => REPORTS_PER_ROOM_MAX,
        };
        let of_kind = || self.0.items.iter().filter(|item| item.review.kind == kind);
        let of_user = || of_kind().filter(|item| item.review.user == *user).count();
        of_kind().count() >= max || (kind == ReviewKind::Message && of_user() >= REVIEWS_PER_SENDER_MAX)
    }

    /// Returns the lock of another moderator on an entry, if it has not lapsed.
    #[must_use]
    pub fn lock_of_another(&self, id: &MessageId, by: &UserId, now_ms: u64) -> Option<&ReviewLock> {
        let lock = self.find(id)?.review.lock.as_ref()?;
        (lock.by != *by && lock.until_ms > now_ms).then_some(lock)
    }

    pub(crate) fn with(&self, change: &ReviewChange, now_ms: u64) -> Result<ReviewQueue, ChangeError> {
        let mut stored = Stored::clone(&self.0);
        match change {
            ReviewChange::Settings(settings) => stored.settings = *settings,
            ReviewChange::Add(item) => self.add(&mut stored, item)?,
            ReviewChange::Take { id, by } => {
                let lock = ReviewLock { by: by.clone(), until_ms: now_ms + REVIEW_LOCK_MS };
                self.open(&mut stored, id, by, now_ms)?.review.lock = Some(lock);
            }
            ReviewChange::Release { id, by } => {
                let item = waiting(&mut stored, id)?;
                item.review.lock.take_if(|lock| lock.by == *by || lock.until_ms <= now_ms);
            }
            ReviewChange::Decide { id, verdict } => {
                let first = self.decided(id).map(|decided| &decided.verdict);
                let first = first.or_else(|| self.find(id).and_then(|item| item.verdict.as_ref()));
                match first {
                    Some(first) if first.decision == verdict.decision => {}
                    Some(first) => return Err(decided_before(first)),
                    None => {
                        self.open(&mut stored, id, &verdict.by, now_ms)?.verdict = Some(verdict.clone());
                    }
                }
            }
            ReviewChange::End { id, sequence, until_ms } => end(&mut stored, id, *sequence, *until_ms),
        }
        Ok(stored.into())
    }

    /// Returns an entry that this moderator may change now.
    fn open<'a>(
        &self,
        stored: &'a mut Stored,
        id: &MessageId,
        by: &UserId,
        now_ms: u64,
    ) -> Result<&'a mut ReviewItem, ChangeError> {
        if let Some(decided) = self.decided(id) {
            return Err(decided_before(&decided.verdict));
        }
        if let Some(lock) = self.lock_of_another(id, by, now_ms) {
            let retry_ms = lock.until_ms - now_ms;
            return Err(ChangeError::ReviewLocked { by: lock.by.clone(), retry_ms });
        }
        let item = waiting(stored, id)?;
        match &item.verdict {
            Some(verdict) => Err(decided_before(verdict)),
            None => Ok(item),
        }
    }

    fn add(&self, stored: &mut Stored, item: &ReviewItem) -> Result<(), ChangeError> {
        let id = &item.review.id;
        let is_report = item.review.kind == ReviewKind::Report;
        // A message is decided once; a user may be reported again after a decision.
        if !is_report && self.decided(id).is_some() {
            return Ok(());
        }
        let reporter = item.review.report.as_ref().and_then(|report| report.reporters.first());
        if let Some(known) = stored.items.iter_mut().find(|known| known.review.id == *id) {
            if let (Some(report), Some(reporter)) = (&mut known.review.report, reporter)
                && !report.reporters.contains(reporter)
            {
                report.count = report.count.saturating_add(1);
                if report.reporters.len() < REPORTERS_MAX {
                    report.reporters.push(reporter.clone());
                }
            }
            return Ok(());
        }
        if let Some(reporter) = reporter {
            let of_reporter = |item: &&ReviewItem| {
                item.review.report.as_ref().is_some_and(|report| report.reporters.contains(reporter))
            };
            if stored.items.iter().filter(of_reporter).count() >= REPORTS_PER_REPORTER_MAX {
                return Err(ChangeError::ReportsFull);
            }
        }
        if self.is_full(item.review.kind, &item.review.user) {
            return Err(ChangeError::ReviewsFull);
        }
        let mut item = item.clone();
        if !is_report && stored.settings.fallback.is_some() {
            let wait_ms = u64::from(stored.settings.fallback_secs) * 1_000;
            item.review.fallback_at_ms = Some(item.review.at_ms.saturating_add(wait_ms));
        }
        stored.decided.retain(|decided| decided.id != item.review.id);
        stored.items.push(item);
        let bytes = serde_json::to_vec(&stored).map_or(usize::MAX, |json| json.len());
        if bytes > REVIEW_BYTES_MAX { Err(ChangeError::ReviewsFull) } else { Ok(()) }
    }
}

fn waiting<'a>(stored: &'a mut Stored, id: &MessageId) -> Result<&'a mut ReviewItem, ChangeError> {
    stored.items.iter_mut().find(|item| item.review.id == *id).ok_or(ChangeError::UnknownReview)
}

fn decided_before(first: &Verdict) -> ChangeError {
    ChangeError::ReviewDecided { by: first.by.clone(), decision: first.decision.label() }
}

fn end(stored: &mut Stored, id: &MessageId, sequence: Option<Sequence>, until_ms: Option<u64>) {
    let is_decided = |item: &ReviewItem| item.review.id == *id && item.verdict.is_some();
    let Some(at) = stored.items.iter().position(is_decided) else { return };
    let item = stored.items.remove(at);
    let media = medium(&item);
    let Some(verdict) = item.verdict else { return };
    let media = media.filter(|_| verdict.decision == ReviewDecision::Approve);
    let forgotten = (stored.decided.len() + 1).saturating_sub(DECIDED_MAX);
    stored.decided.drain(..forgotten);
    stored.decided.push(DecidedReview { id: id.clone(), verdict, sequence, until_ms, media });
}

/// Returns the medium of a message that waits.
fn medium(item: &ReviewItem) -> Option<Digest> {
    let digest = item.review.message.as_ref()?.get("media")?.get("digest")?.as_str()?;
    Digest::parse(digest).ok()
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
