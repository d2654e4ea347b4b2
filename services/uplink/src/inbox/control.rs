//! The uplink's inbox: what its requests share, and the tasks beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_bus::{LaneDraft, LaneReceipt, Lanes, lane_of};
use barrage_cache::Cache;
use barrage_counters::{Quota, QuotaKey, Subject};
use barrage_flow::{Rate, Rule};
use barrage_http::rate_limited;
use barrage_inbox::Event;
use barrage_moderation::Moderator;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::Accepted;
use barrage_protocol::{MessageId, Sequence, UserId};
use barrage_store::InboxReads;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::config::InboxConfig;
use super::cursor::CursorKey;
use super::letter_log::LetterLog;
use super::marks::Marks;
use super::read_buffer::ReadBuffer;
use super::refusals::{behind, erased, not_taken};
use super::services::Services;
use crate::account::AccountNames;
use crate::limits_config::LimitsError;
use crate::media::MediaLinks;
use crate::record::AuditQueue;
use crate::room::RoomControl;

const HOUR: Duration = Duration::from_secs(3_600);
/// Time for which a retry of an item that slow mode let pass, passes again, and for which letters to a person
/// whom the tables do not show yet are those of one new conversation.
const PASSED: Duration = Duration::from_secs(600);
/// Begun conversations and items that slow mode let pass, each; beyond, the oldest are forgotten.
const REMEMBERED_MAX: u64 = 100_000;

/// The parts of the inbox that an uplink gets; the caller shares them with the courier.
#[derive(Clone)]
pub struct InboxParts {
    /// Takes the events of letters and groups.
    pub lanes: Arc<dyn Lanes>,
    /// Has the tables of letters and groups.
    pub store: Arc<dyn InboxReads>,
    /// Secret of the tables, which signs cursors.
    pub secret: [u8; 32],
    /// Limits of letters and groups.
    pub config: InboxConfig,
}

/// The parts of the uplink that its inbox uses.
pub(crate) struct InboxShared {
    pub(crate) quota: Arc<dyn Quota>,
    pub(crate) moderator: Arc<Moderator>,
    pub(crate) audit: Arc<AuditQueue>,
    /// Names that only their accounts may use; `None` where accounts are off.
    pub(crate) names: Option<Arc<AccountNames>>,
    pub(crate) media: MediaLinks,
    pub(crate) rooms: RoomControl,
}

/// Takes and answers the requests of the inbox.
pub(crate) struct InboxControl {
    pub(super) lanes: Arc<dyn Lanes>,
    pub(super) store: Arc<dyn InboxReads>,
    pub(super) config: InboxConfig,
    pub(super) moderator: Arc<Moderator>,
    pub(super) audit: Arc<AuditQueue>,
    pub(super) names: Option<Arc<AccountNames>>,
    pub(super) media: MediaLinks,
    pub(super) access: Access,
    pub(super) marks: Marks,
    pub(super) cursors: CursorKey,
    pub(super) letters: LetterLog,
    pub(super) reads: ReadBuffer,
    pub(super) services: Services,
    /// Has the mutes, as restrictions in a room of their own: durable, and in force at every uplink.
    pub(super) rooms: RoomControl,
    /// People whom a user began to write to: retries of a first letter, and letters beside it, count once.
    opened: Cache<(UserId, UserId), (), Refusal>,
    /// Items that slow mode let pass.
    pub(super) passed: Cache<(UserId, MessageId), ()>,
    pub(super) syncs: Semaphore,
    pub(super) waits: Semaphore,
    pub(super) origin: Instant,
    quota: Arc<dyn Quota>,
    new_conversations: Rate,
    new_groups: Rate,
    reports: Rate,
    syncs_of_user: Rate,
    group_items: Rate,
}

impl InboxControl {
    /// Builds the control; [`InboxControl::run`] runs its tasks.
    ///
    /// # Errors
    /// When a limit cannot be used.
    pub(crate) fn new(parts: InboxParts, shared: InboxShared) -> Result<Self, LimitsError> {
        let InboxParts { lanes, store, secret, config } = parts;
        let InboxShared { quota, moderator, audit, names, media, rooms } = shared;
        let per_hour = |count: u32| Rate::new(count, HOUR, count);
        Ok(InboxControl {
            new_conversations: per_hour(config.new_conversations_per_hour)?,
            new_groups: per_hour(config.new_groups_per_hour)?,
            reports: per_hour(config.reports_per_hour)?,
            syncs_of_user: Rate::per_sec(config.syncs_per_s, config.syncs_per_s.saturating_mul(5))?,
            group_items: Rate::per_sec(config.group_items_per_s, config.group_items_per_s.saturating_mul(2))?,
            access: Access::new(Arc::clone(&store), &secret, &config),
            marks: Marks::new(Arc::clone(&lanes), Arc::clone(&store)),
            cursors: CursorKey::new(&secret),
            letters: LetterLog::default(),
            reads: ReadBuffer::new(config.reads_merged_max),
            services: Services::new(Arc::clone(&store)),
            opened: Cache::new(REMEMBERED_MAX, PASSED),
            passed: Cache::new(REMEMBERED_MAX, PASSED),
            syncs: Semaphore::new(config.syncs_max),
            waits: Semaphore::new(config.waits_max),
            origin: barrage_clock::now(),
            lanes,
            store,
            config,
            moderator,
            audit,
            names,
            media,
            rooms,
            quota,
        })
    }

    /// Runs until the shutdown: follows how far the lanes are taken, and writes merged reads.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(self.marks.run(shutdown.clone()), self.run_reads(shutdown));
    }

    /// Refuses a user whose inbox was erased: its id is never used again.
    pub(crate) async fn refuse_erased(&self, user: &UserId) -> Result<(), Refusal> {
        if self.access.is_erased(user).await { Err(erased()) } else { Ok(()) }
    }

    /// Appends events of one lane, which are durable then.
    pub(super) async fn append(&self, events: &[Event]) -> Result<(u16, Vec<LaneReceipt>), Refusal> {
        let Some(first) = events.first() else { return Ok((0, Vec::new())) };
        let lane = lane_of(&first.lane_key(), self.lanes.lanes());
        let longest_ms = self.config.behind_secs_max.saturating_mul(1_000);
        if self.marks.waited_ms(lane, barrage_clock::unix_ms()) > longest_ms {
            return Err(behind());
        }
        let drafts = events.iter().map(draft).collect();
        let receipts = self.lanes.append(lane, drafts).await.map_err(not_taken)?;
        Ok((lane, receipts))
    }

    /// Appends one event, which is durable then.
    pub(super) async fn append_one(&self, event: Event) -> Result<Accepted, Refusal> {
        let (lane, receipts) = self.append(&[event]).await?;
        let sequence = receipts.first().map_or(Sequence::ZERO, |receipt| receipt.sequence);
        Ok(Accepted { sequence, lane })
    }

    /// Counts a conversation with a new person, once for all letters until the tables show it.
    pub(super) async fn take_conversation(&self, user: &UserId, to: &UserId) -> Result<(), Refusal> {
        let rule = "new_conversations_per_hour";
        let taken = self.take(rule, "user", Subject::User(user.clone()), self.new_conversations, HOUR);
        let opened = self.opened.load((user.clone(), to.clone()), taken).await;
        opened.map_err(|refusal| Refusal::clone(&refusal))
    }

    /// Counts a new group.
    pub(super) async fn take_group(&self, user: &UserId) -> Result<(), Refusal> {
        self.take("new_groups_per_hour", "user", Subject::User(user.clone()), self.new_groups, HOUR).await
    }

    /// Counts a request for the inbox or for items.
    pub(super) async fn take_sync(&self, user: &UserId) -> Result<(), Refusal> {
        let second = Duration::from_secs(1);
        self.take("syncs_per_s", "user", Subject::User(user.clone()), self.syncs_of_user, second).await
    }

    /// Counts a report of the user.
    pub(super) async fn take_report(&self, user: &UserId) -> Result<(), Refusal> {
        self.take("reports_per_hour", "user", Subject::User(user.clone()), self.reports, HOUR).await
    }

    /// Counts an item of a group.
    pub(super) async fn take_group_item(&self, group: &str) -> Result<(), Refusal> {
        let second = Duration::from_secs(1);
        self.take("group_items_per_s", "group", subject(&[group]), self.group_items, second).await
    }

    pub(super) async fn take(
        &self,
        rule: &'static str,
        scope: &str,
        subject: Subject,
        rate: Rate,
        period: Duration,
    ) -> Result<(), Refusal> {
        let key = QuotaKey { purpose: rule, subject };
        let verdict = self.quota.take(&key, 1, &Rule::Rate(rate), self.origin.elapsed()).await;
        if verdict.is_admit() {
            return Ok(());
        }
        let message = format!("too many: inbox.{rule} admits {}", rate.units());
        let window_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        Err(rate_limited(message, rule, scope, &verdict, window_ms))
    }
}

/// Returns the subject of a count that is neither a user nor a room.
pub(super) fn subject(parts: &[&str]) -> Subject {
    let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part).chain_update("\n"));
    let hash = hash.finalize();
    Subject::Hashed(u64::from_be_bytes(hash[..8].try_into().expect("eight bytes")))
}

fn draft(event: &Event) -> LaneDraft {
    LaneDraft { key: event.key(), fingerprint: event.fingerprint(), body: Bytes::from(event.to_json()) }
}
