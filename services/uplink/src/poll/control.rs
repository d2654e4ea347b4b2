//! Who may open, close and vote, and the order in which a poll's state changes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_bus::{Bus, ChangeError, Settings};
use barrage_class::Counts;
use barrage_counters::{Quota, QuotaKey, Subject};
use barrage_flow::{Rule, Window};
use barrage_http::rate_limited;
use barrage_ledger::{Book, Fate, Ledger};
use barrage_protocol::code::Refusal;
use barrage_protocol::poll::{PollAnswer, PollList, PollRequest, PollView, VoteAnswer};
use barrage_protocol::{Class, Code, MessageId, RoomId, UserId};
use barrage_store::{AuditRecord, PollRecord, PollStore, Store, StoreError, Vote};
use barrage_token::{Identity, Role};
use parking_lot::Mutex;
use serde_json::json;

use super::vote_queue::VoteQueue;
use super::{form, words};
use crate::guest_id::is_guest;
use crate::limits_config::LimitsError;
use crate::metrics::UplinkMetrics;
use crate::polls_config::PollsConfig;
use crate::record::AuditQueue;
use crate::room::{RoomControl, in_room, open_room, refuse_kicked};

/// Polls in one answer.
const LISTED_MAX: usize = 50;
/// Milliseconds after which a client may try again when the store is away, or posting is off.
const RETRY_MS: u64 = 1_000;
/// Window of the limit of guests by address.
const GUEST_WINDOW: Duration = Duration::from_secs(600);
/// Longest wait of a chat for its vote; the chat is published without it then.
const WORD_WAIT: Duration = Duration::from_secs(2);

/// The parts that polls need.
pub(crate) struct PollParts {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) control: RoomControl,
    pub(crate) audit: Arc<AuditQueue>,
    pub(crate) quota: Arc<dyn Quota>,
    pub(crate) ledger: Ledger,
    pub(crate) metrics: UplinkMetrics,
}

/// Who opens, closes or lists polls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PollAuthor<'a> {
    /// The sender of a request on the public listener.
    Sender(&'a Identity),
    /// A caller of the admin API, whose token and audit line the gate of that API has seen to.
    Admin,
}

/// Opens and closes polls, and counts votes.
///
/// The store has the polls and the votes; the settings have the poll that runs in a room, so that all
/// instances see it at once. A poll is stored before it is in the settings, and closed in the store
/// before it leaves them. Any uplink can complete a change that another one began.
pub(crate) struct PollControl {
    pub(super) parts: PollParts,
    pub(super) votes: VoteQueue,
    guest_rule: Window,
    guest_votes: u32,
    results: Mutex<Book>,
    origin: Instant,
}

impl PollControl {
    /// Builds the control; [`PollControl::run`] runs its tasks.
    ///
    /// # Errors
    /// When the limit of guests cannot be used.
    pub(crate) fn new(parts: PollParts, config: &PollsConfig) -> Result<Self, LimitsError> {
        let guest_votes = config.guest_votes_per_address;
        let (metrics, ledger) = (parts.metrics.clone(), parts.ledger.clone());
        Ok(PollControl {
            votes: VoteQueue::new(config.waiting_max, config.commit_votes_max, metrics, ledger),
            guest_rule: Window::new(guest_votes, GUEST_WINDOW)?,
            guest_votes,
            results: Mutex::new(parts.ledger.book("polls")),
            origin: barrage_clock::now(),
            parts,
        })
    }

    pub(super) fn store(&self) -> &dyn PollStore {
        self.parts.store.poll_store()
    }

    /// Opens a poll in a room. The answer comes when the poll is durable and takes votes.
    ///
    /// # Errors
    /// `forbidden` below moderator, `conflict` while another poll runs or when the id was used for
    /// another one, and refusals of the form.
    pub(crate) async fn open(
        &self,
        room: &RoomId,
        by: PollAuthor<'_>,
        request: &PollRequest,
    ) -> Result<PollAnswer, Refusal> {
        let settings = self.parts.control.settings();
        may_run_polls(&settings, room, by)?;
        let poll = form::checked(request, barrage_clock::unix_ms())?;
        let running = settings.rooms.get(room).and_then(|found| found.poll.as_ref());
        let duplicate = running.is_some_and(|running| running.id == poll.id);
        if running.is_some() && !duplicate {
            return Err(barrage_bus::BusError::Refused(ChangeError::PollRunning).into());
        }
        let record = self.store().open_poll(room, &poll).await.map_err(|error| away(&error))?;
        if !form::is_same(&record.poll, &poll) || record.closed_at_ms.is_some() {
            let message =
                "this poll id was used for another poll, or for one that is closed; choose a new id";
            return Err(Refusal::new(Code::Conflict, message));
        }
        let control = self.parts.control.under(form::signal_id(room, &poll.id, "open"));
        if let Err(refusal) = control.open_poll(room, &record.poll).await {
            if refusal.code == Code::Conflict {
                // Another poll was opened at the same time. This one never ran.
                self.store()
                    .close_poll(room, &poll.id, poll.opened_ms)
                    .await
                    .map_err(|error| away(&error))?;
            }
            return Err(refusal);
        }
        if !duplicate {
            self.parts.metrics.polled("opened");
            let (options, ends_ms) = (poll.options.len(), record.poll.ends_ms);
            let detail = json!({ "id": poll.id, "options": options, "ends_ms": ends_ms });
            self.audit(room, by, "poll-open", detail).await;
        }
        Ok(PollAnswer { view: record.into_view(), duplicate })
    }

    /// Closes a poll before its end. The answer has the result, which is durable.
    ///
    /// # Errors
    /// `forbidden` below moderator, `not_found` for a poll that the room never had.
    pub(crate) async fn close(
        &self,
        room: &RoomId,
        by: PollAuthor<'_>,
        id: &str,
    ) -> Result<PollAnswer, Refusal> {
        let settings = self.parts.control.settings();
        may_run_polls(&settings, room, by)?;
        let id = poll_id(id)?;
        let known = self.store().poll(room, &id).await.map_err(|error| away(&error))?.ok_or_else(no_poll)?;
        let duplicate = known.closed_at_ms.is_some();
        let record = self.finish(room, &id).await?.ok_or_else(no_poll)?;
        if !duplicate {
            let detail = json!({ "id": id, "votes": record.votes });
            self.audit(room, by, "poll-close", detail).await;
        }
        Ok(PollAnswer { view: record.into_view(), duplicate })
    }

    /// Returns the room's last polls, newest first.
    pub(crate) async fn list(&self, room: &RoomId, by: PollAuthor<'_>) -> Result<PollList, Refusal> {
        let settings = self.parts.control.settings();
        if let PollAuthor::Sender(by) = by {
            open_room(&settings, room)?;
            refuse_kicked(&settings, room, &by.user, barrage_clock::unix_ms())?;
        }
        let records = self.store().polls(room, LISTED_MAX).await.map_err(|error| away(&error))?;
        Ok(PollList { polls: records.into_iter().map(PollRecord::into_view).collect() })
    }

    /// Counts the vote of a user. A user's first vote counts; a later one is answered with it.
    ///
    /// # Errors
    /// `not_found` and `poll_closed` by the poll, `bad_request` for an option that it does not have,
    /// `forbidden` and `rate_limited` for guests, and those of [`VoteQueue::cast`].
    pub(crate) async fn vote(
        &self,
        room: &RoomId,
        by: &Identity,
        address: IpAddr,
        id: &str,
        option: u8,
    ) -> Result<VoteAnswer, Refusal> {
        let settings = self.parts.control.settings();
        let now_ms = barrage_clock::unix_ms();
        if room.is_probe() || by.role == Role::Probe {
            return Err(Refusal::new(Code::Forbidden, "a probe may only chat"));
        }
        if settings.switches.read_only && by.role < Role::Admin {
            let refusal = Refusal::new(Code::Unavailable, "posting is switched off just now");
            return Err(refusal.retry_after_ms(RETRY_MS));
        }
        let found = open_room(&settings, room)?;
        refuse_kicked(&settings, room, &by.user, now_ms)?;
        let id = poll_id(id)?;
        let Some(poll) = found.poll.as_ref().filter(|poll| poll.id == id) else {
            let is_closed = found.closed_poll.as_ref() == Some(&id);
            return Err(if is_closed { closed() } else { no_poll() });
        };
        if poll.is_over(now_ms) {
            return Err(closed());
        }
        if option == 0 || usize::from(option) > poll.options.len() {
            let message = format!("option: 1 to {}", poll.options.len());
            return Err(Refusal::new(Code::BadRequest, message));
        }
        if is_guest(&by.user) {
            if !poll.guests {
                return Err(Refusal::new(Code::Forbidden, "guests may not vote in this poll"));
            }
            self.take_guest(address).await?;
        }
        self.votes.cast(Vote { room: room.clone(), poll: id, voter: by.user.clone(), option }).await
    }

    /// Counts the vote that a chat is, if the room's poll counts chat. A guest's chat is no vote: its
    /// address is not known here, and the limit of guests needs it. A vote that fails does not stop the
    /// chat.
    pub(crate) async fn vote_by_words(
        &self,
        settings: &Settings,
        room: &RoomId,
        voter: &UserId,
        text: &str,
    ) -> Option<VoteAnswer> {
        let poll = settings.rooms.get(room)?.poll.as_ref()?;
        if !poll.words || poll.is_over(barrage_clock::unix_ms()) || is_guest(voter) {
            return None;
        }
        let option = words::option_of(poll, text)?;
        let vote = Vote { room: room.clone(), poll: poll.id.clone(), voter: voter.clone(), option };
        tokio::time::timeout(WORD_WAIT, self.votes.cast(vote)).await.ok()?.ok()
    }

    /// Closes a poll in the store, tells the room its result, and takes it out of the settings. May be
    /// called by several uplinks at once, and again after a crash: the result is the first one.
    pub(super) async fn finish(&self, room: &RoomId, id: &MessageId) -> Result<Option<PollRecord>, Refusal> {
        let now_ms = barrage_clock::unix_ms();
        let Some(record) = self.store().close_poll(room, id, now_ms).await.map_err(|error| away(&error))?
        else {
            return Ok(None);
        };
        if record.closed_at_ms == Some(now_ms) {
            self.parts.metrics.polled("closed");
            self.account(room, &record).await;
        }
        let view: PollView = record.clone().into_view();
        let control = self.parts.control.under(form::signal_id(room, id, "close"));
        control.close_poll(room, &view).await?;
        Ok(Some(record))
    }

    /// Compares the result with the single votes, in the conservation ledger.
    async fn account(&self, room: &RoomId, record: &PollRecord) {
        let Ok(single) = self.store().single_votes(room, &record.poll.id).await else { return };
        let one = Counts::one(Class::Gift);
        let mut book = self.results.lock();
        book.took(&one, single);
        book.became(Fate::PassedOn, &one, record.votes.iter().sum());
        book.settle(&Counts::ZERO);
    }

    /// Counts a guest's vote against the limit of its address.
    async fn take_guest(&self, address: IpAddr) -> Result<(), Refusal> {
        const RULE: &str = "guest_votes_per_address";
        let key = QuotaKey { purpose: RULE, subject: Subject::address(address) };
        let verdict =
            self.parts.quota.take(&key, 1, &Rule::Window(self.guest_rule), self.origin.elapsed()).await;
        if verdict.is_admit() {
            return Ok(());
        }
        let window_ms = u64::try_from(GUEST_WINDOW.as_millis()).unwrap_or(u64::MAX);
        let message = format!("too many votes of guests from here: {} in ten minutes", self.guest_votes);
        Err(rate_limited(message, RULE, "address", &verdict, window_ms))
    }

    async fn audit(&self, room: &RoomId, by: PollAuthor<'_>, action: &str, detail: serde_json::Value) {
        let PollAuthor::Sender(by) = by else { return };
        let line = AuditRecord {
            at_ms: barrage_clock::unix_ms(),
            room: Some(room.clone()),
            user: None,
            actor: by.user.to_string(),
            action: action.into(),
            detail,
        };
        self.parts.audit.write_through(&*self.parts.store, line).await;
    }
}

/// Refuses a caller that may not run the polls of a room.
fn may_run_polls(settings: &Settings, room: &RoomId, by: PollAuthor<'_>) -> Result<(), Refusal> {
    open_room(settings, room)?;
    let PollAuthor::Sender(by) = by else { return Ok(()) };
    refuse_kicked(settings, room, &by.user, barrage_clock::unix_ms())?;
    let role = in_room(settings, room, by).role;
    if role < Role::Moderator || room.is_probe() {
        let message = format!("polls: your role in this room is {}, and polls need moderator", role.label());
        return Err(Refusal::new(Code::Forbidden, message));
    }
    Ok(())
}

fn poll_id(text: &str) -> Result<MessageId, Refusal> {
    MessageId::parse(text).map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))
}

pub(super) fn no_poll() -> Refusal {
    Refusal::new(Code::NotFound, "no poll with this id runs in this room")
}

fn closed() -> Refusal {
    Refusal::new(Code::PollClosed, "the poll is closed")
}

/// The cause is in the log. The caller may send the same request again.
pub(super) fn away(error: &StoreError) -> Refusal {
    tracing::warn!(%error, "the store did not answer a call about a poll");
    let message = "the poll cannot be stored or read now; send the request again";
    Refusal::new(Code::Unavailable, message).retry_after_ms(RETRY_MS)
}
