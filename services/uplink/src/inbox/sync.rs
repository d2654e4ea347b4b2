//! `GET /v1/inbox`: what a device lacks, from one snapshot of the tables.

use std::collections::HashMap;
use std::time::Duration;

use barrage_bus::lane_of;
use barrage_inbox::{
    ConversationNumber, ConversationState, Cursor, Kind, Page, Position, Since, UserNumber, Version,
};
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{ConversationView, InboxAnswer, ItemView, PlaceView, UndeliveredView};
use barrage_protocol::{Code, Sequence, UserId};
use barrage_store::{Away, AwayRange, End, Membership, Wanted};
use tokio::sync::SemaphorePermit;

use super::control::InboxControl;
use super::pages::ITEMS_BYTES_MAX;
use super::refusals::{malformed, unreadable};
use super::view;

/// Conversations in one answer.
const CONVERSATIONS_MAX: usize = 300;
/// Conversations whose newest items are in the answer.
const TOP_MAX: usize = 50;
/// Newest items of each of them.
const ITEMS_MAX: usize = 50;
/// Newest items of all of them together.
const ITEMS_TOTAL_MAX: usize = 400;
/// Longest wait of `at_least`.
const AT_LEAST_MAX: Duration = Duration::from_secs(2);
/// Longest wait of `wait_secs`.
const WAIT_SECS_MAX: u64 = 30;
/// Shortest time between two looks of a request that waits.
const LOOK: Duration = Duration::from_millis(250);
/// Longest wait for a place among the requests that are answered.
const PLACE_MAX: Duration = Duration::from_secs(1);

/// What a device asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncQuery {
    /// Cursor of the last answer that the device has stored.
    pub(crate) cursor: Option<String>,
    /// Conversations in the answer.
    pub(crate) limit: usize,
    /// Conversations whose newest items are in the answer.
    pub(crate) top: usize,
    /// Newest items of each of them.
    pub(crate) items: usize,
    /// Lane and position that the answer has.
    pub(crate) at_least: Option<(u16, Sequence)>,
    /// Seconds to wait for a change.
    pub(crate) wait_secs: u64,
}

impl SyncQuery {
    fn check(&self) -> Result<(), Refusal> {
        if !(1..=CONVERSATIONS_MAX).contains(&self.limit) {
            return Err(malformed(format!("limit: 1 to {CONVERSATIONS_MAX}")));
        }
        if self.top > TOP_MAX || self.items > ITEMS_MAX || self.top * self.items > ITEMS_TOTAL_MAX {
            return Err(malformed(format!(
                "top: 0 to {TOP_MAX}, items: 0 to {ITEMS_MAX}, and top times items: at most {ITEMS_TOTAL_MAX}"
            )));
        }
        if self.wait_secs > WAIT_SECS_MAX {
            return Err(malformed(format!("wait_secs: 0 to {WAIT_SECS_MAX}")));
        }
        Ok(())
    }
}

/// An answer, and whether it has anything that the device lacks.
struct Answered {
    answer: InboxAnswer,
    has_news: bool,
}

impl InboxControl {
    /// Returns what a device lacks. Waits for `at_least`, and with `wait_secs` for a change.
    ///
    /// # Errors
    /// `bad_cursor`, `bad_request`, `overloaded`, and `unavailable` while the tables cannot be read.
    pub(crate) async fn sync(&self, user: &UserId, query: &SyncQuery) -> Result<InboxAnswer, Refusal> {
        query.check()?;
        self.take_sync(user).await?;
        let parsed = query.cursor.as_deref().map(|text| self.cursors.parse(text)).transpose();
        let cursor = parsed.map_err(|error| Refusal::new(Code::BadCursor, error.to_string()))?;
        if let Some((lane, sequence)) = query.at_least {
            self.marks.reached(lane, sequence, AT_LEAST_MAX).await;
        }
        let until = barrage_clock::now() + Duration::from_secs(query.wait_secs);
        let waits = if query.wait_secs > 0 { self.waits.try_acquire().ok() } else { None };
        loop {
            let mut moved = self.marks.moved();
            let answered = self.answer(user, cursor.as_ref(), query).await?;
            let left = until.saturating_duration_since(barrage_clock::now());
            if answered.has_news || waits.is_none() || left.is_zero() {
                return Ok(answered.answer);
            }
            tokio::time::sleep(LOOK.min(left)).await;
            self.marks.until_moved(&mut moved, left.saturating_sub(LOOK)).await;
        }
    }

    /// Returns a place among the requests that are answered at the same time.
    pub(super) async fn sync_place(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let place = tokio::time::timeout(PLACE_MAX, self.syncs.acquire()).await;
        place.ok().and_then(Result::ok).ok_or_else(|| {
            Refusal::new(Code::Overloaded, "too many requests for the inbox just now").retry_after_ms(2_000)
        })
    }

    async fn answer(
        &self,
        user: &UserId,
        cursor: Option<&Cursor>,
        query: &SyncQuery,
    ) -> Result<Answered, Refusal> {
        let _place = self.sync_place().await?;
        let lanes = usize::from(self.lanes.lanes());
        let nothing = Cursor::of_nothing(user, lanes);
        let base = cursor.unwrap_or(&nothing);
        let range = AwayRange { after: base.version(), below: base.page().map(|page| page.below) };
        let Some(away) = self.away(user, range, query.limit).await? else {
            return Ok(self.empty(&nothing, cursor));
        };
        let newest = positions(&away, lanes);
        let since = base.since(user, away.user.version, &newest);
        let has_too_many = base.version() > Version(0) && away.hidden.len() >= query.limit;
        if since == Since::Nothing || has_too_many {
            // What a new device gets needs no special path.
            let Some(away) = self.away(user, AwayRange::after(Version(0)), query.limit).await? else {
                return Ok(self.empty(&nothing, cursor));
            };
            let newest = positions(&away, lanes);
            let since = Since::Version(Version(0), &[]);
            return self.fill(user, (&nothing, true), &since, (away, newest), query).await;
        }
        self.fill(user, (base, cursor.is_none()), &since, (away, newest), query).await
    }

    async fn away(&self, user: &UserId, range: AwayRange, limit: usize) -> Result<Option<Away>, Refusal> {
        self.store.away(user, range, limit).await.map_err(|error| unreadable(&error))
    }

    /// Returns the answer for a user without an inbox.
    fn empty(&self, nothing: &Cursor, cursor: Option<&Cursor>) -> Answered {
        let reset = cursor.is_some_and(|cursor| cursor != nothing);
        let answer = InboxAnswer {
            cursor: self.cursors.sign(nothing),
            version: 0,
            unread: 0,
            reset,
            conversations: Vec::new(),
            hidden: Vec::new(),
            undelivered: Vec::new(),
            more: false,
        };
        Answered { answer, has_news: reset }
    }

    async fn fill(
        &self,
        user: &UserId,
        (base, reset): (&Cursor, bool),
        since: &Since<'_>,
        (away, newest): (Away, Vec<Sequence>),
        query: &SyncQuery,
    ) -> Result<Answered, Refusal> {
        let is_first_page = base.page().is_none();
        let (version, lanes) = match base.page() {
            Some(page) => (page.version, page.lanes.clone()),
            None => (away.user.version, newest),
        };
        let next = match away.memberships.last().filter(|_| away.more) {
            Some(last) => {
                let below = (last.member.version, last.conversation.number);
                base.with_page(Page { version, lanes, below })
            }
            None => Cursor::new(user, version, lanes),
        };
        let is_new_device = base.version() == Version(0);
        let shown: Vec<&Membership> = away
            .memberships
            .iter()
            .filter(|found| self.is_news(found, since))
            .filter(|found| !(is_new_device && found.conversation.state == ConversationState::Deleted))
            .collect();
        let mut conversations: Vec<ConversationView> =
            shown.iter().map(|found| view::conversation(found)).collect();
        add_mentions(&mut conversations, &shown, &away);
        if is_first_page {
            self.add_items(&mut conversations, &shown, away.user.number, query).await?;
        }
        let (mut hidden, mut undelivered) = (Vec::new(), Vec::new());
        if is_first_page && !is_new_device {
            hidden = hidden_places(&away);
        }
        if is_first_page {
            undelivered = away.undelivered.iter().map(undelivered_view).collect();
        }
        let has_news = !(conversations.is_empty() && hidden.is_empty() && undelivered.is_empty())
            || away.more
            || away.user.version != base.version();
        let answer = InboxAnswer {
            cursor: self.cursors.sign(&next),
            version: away.user.version.0,
            unread: away.user.unread + away.group_unread,
            reset: reset && is_first_page,
            conversations,
            hidden,
            undelivered,
            more: away.more,
        };
        Ok(Answered { answer, has_news })
    }

    fn is_news(&self, found: &Membership, since: &Since<'_>) -> bool {
        let conversation = &found.conversation;
        let group = (conversation.id.kind() == Kind::Group)
            .then(|| (lane_of(conversation.id.as_str(), self.lanes.lanes()), conversation.sequence));
        since.has_changed(found.member.version, group)
    }

    /// Adds the newest items of the first conversations, as many as fit.
    async fn add_items(
        &self,
        conversations: &mut [ConversationView],
        shown: &[&Membership],
        reader: UserNumber,
        query: &SyncQuery,
    ) -> Result<(), Refusal> {
        if query.items == 0 {
            return Ok(());
        }
        let wanted: Vec<Wanted> = shown.iter().take(query.top).filter_map(|found| wanted(found)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let found = self.store.shown(reader, &wanted, End::Newest, query.items).await;
        let mut by_conversation: HashMap<ConversationNumber, Vec<ItemView>> = HashMap::new();
        for stored in found.map_err(|error| unreadable(&error))? {
            let number = stored.item.conversation;
            by_conversation.entry(number).or_default().push(view::item(stored, reader, &self.media));
        }
        let mut left = ITEMS_BYTES_MAX;
        for (conversation, found) in conversations.iter_mut().zip(shown) {
            let items = by_conversation.remove(&found.conversation.number).unwrap_or_default();
            let bytes: usize = items.iter().map(view::bytes).sum();
            // A device pulls the items of the others when it shows them.
            if bytes <= left {
                left -= bytes;
                conversation.items = items;
            }
        }
        Ok(())
    }
}

/// Returns hidden items. Who hides an item changes its own row of the conversation in the same batch, so that the
/// conversation is among the changed ones.
fn hidden_places(away: &Away) -> Vec<PlaceView> {
    let ids: HashMap<_, _> =
        away.memberships.iter().map(|found| (found.conversation.number, &found.conversation.id)).collect();
    let place = |hidden: &barrage_inbox::HiddenItem| {
        let conversation = ids.get(&hidden.conversation)?.to_string();
        Some(PlaceView { conversation, position: hidden.position.0 })
    };
    away.hidden.iter().filter_map(place).collect()
}

fn wanted(found: &Membership) -> Option<Wanted> {
    let (after, before) = view::readable(found)?;
    Some(Wanted { conversation: found.conversation.number, after, before })
}

fn add_mentions(conversations: &mut [ConversationView], shown: &[&Membership], away: &Away) {
    let mut by_conversation: HashMap<ConversationNumber, Vec<Position>> = HashMap::new();
    for mention in &away.mentions {
        by_conversation.entry(mention.conversation).or_default().push(mention.position);
    }
    for (conversation, found) in conversations.iter_mut().zip(shown) {
        let positions = by_conversation.remove(&found.conversation.number).unwrap_or_default();
        conversation.mentions = positions.into_iter().map(|position| position.0).collect();
    }
}

fn undelivered_view(note: &barrage_inbox::Undelivered) -> UndeliveredView {
    UndeliveredView {
        conversation: note.conversation.to_string(),
        id: note.id.clone(),
        reason: note.refusal.label().into(),
        at_ms: note.at_ms,
    }
}

/// Returns the position of each lane in a snapshot; zero for a lane that the inbox does not know yet.
fn positions(away: &Away, lanes: usize) -> Vec<Sequence> {
    let mut positions = vec![Sequence::ZERO; lanes];
    for (lane, position) in &away.lanes {
        if let Some(place) = positions.get_mut(usize::from(*lane)) {
            *place = *position;
        }
    }
    positions
}
