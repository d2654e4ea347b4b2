//! Reads parts of a history from the store, without what is hidden or not shown yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrage_bus::Bus;
use barrage_protocol::code::Refusal;
use barrage_protocol::post::{History, HistoryMessage};
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_store::{HISTORY_LIMIT_MAX, HistoryRange, Store, StoreError};
use serde_json::Value;

use super::page::Span;
use crate::media::MediaLinks;
use crate::room::{Hide, hides_after};

/// Reads for one page of viewers that look for what they see already, behind the newest messages of a room
/// with a delay: each of up to 1,000 messages, together some 1,200 a second for the longest delay.
const READS_MAX: usize = 16;
/// Milliseconds after which a client may try again when the store is away.
const RETRY_MS: u64 = 1_000;

/// Reads the store. The archiver hides messages there a little later than the room's signals say so, and
/// later still when it is behind. What signals of the bus hide that the archive does not have yet is left out
/// as well.
#[derive(Clone)]
pub(super) struct HistoryReader {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) store: Arc<dyn Store>,
    /// Signs the addresses of media anew: those of the archive may have ended.
    pub(super) media: MediaLinks,
}

/// A part of a history, as a reader may see it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) history: History,
    /// Position up to which the archive had the room when this was read, or an earlier one: signals up to it
    /// have their effect in the store.
    pub(super) archived_to: Sequence,
}

impl HistoryReader {
    /// Reads a part up to a time. A page before or after a position is never empty because all of its messages
    /// are not shown yet or hidden: they may be many, so that the search goes on behind them.
    ///
    /// The newest page shows itself up to where the archive has the room. For other parts `archived_to` says
    /// so; it must be from before this call.
    pub(super) async fn read(
        &self,
        room: &RoomId,
        span: Span,
        limit: usize,
        shown_to_ms: u64,
        archived_to: Sequence,
    ) -> Result<Read, Refusal> {
        let (mut at, mut read_max) = (span, limit);
        let mut archived_to = archived_to;
        // Asked before the page is read: what is archived meanwhile is read from the bus as well.
        let whole_to = if span == Span::Before(None) { self.whole_to(room).await? } else { Sequence::MAX };
        let mut hides: Option<Vec<Hide>> = None;
        for _ in 0..READS_MAX {
            let mut history = self.stored(room, at, read_max).await?;
            let (oldest, newest) = (history.messages.first(), history.messages.last());
            let (oldest, newest) = (oldest.map(|it| it.sequence), newest.map(|it| it.sequence));
            if hides.is_none()
                && let Some(newest) = newest
            {
                if span == Span::Before(None) {
                    archived_to = newest.min(whole_to);
                }
                hides = Some(hides_after(&*self.bus, room, archived_to).await?);
            }
            show_to(&mut history, span, shown_to_ms);
            leave_out(&mut history, hides.as_deref().unwrap_or_default());
            match oldest {
                Some(oldest)
                    if history.more && history.messages.is_empty() && matches!(span, Span::Before(_)) =>
                {
                    (at, read_max) = (Span::Before(Some(oldest)), HISTORY_LIMIT_MAX);
                }
                Some(_) if history.more && history.messages.is_empty() && matches!(span, Span::After(_)) => {
                    (at, read_max) = (Span::After(newest.unwrap_or_default()), HISTORY_LIMIT_MAX);
                }
                _ => {
                    cut(&mut history, span, limit);
                    self.renew(&mut history);
                    return Ok(Read { history, archived_to });
                }
            }
        }
        Ok(Read { history: History { messages: Vec::new(), more: false }, archived_to })
    }

    /// Reads messages with a medium before a position, the newest first of those, in the order of the room. `archived_to`
    /// is from before this call. A page may have fewer messages than the store gave: signals hide some. The position is
    /// that of the next page.
    pub(super) async fn media(
        &self,
        room: &RoomId,
        before: Sequence,
        limit: usize,
        archived_to: Sequence,
    ) -> Result<(History, Option<Sequence>), Refusal> {
        let read = self.store.history(room, HistoryRange::MediaBefore(before), limit).await;
        let mut history = read.map_err(|error| unavailable(&error))?;
        let next = history.messages.first().map(|oldest| oldest.sequence).filter(|_| history.more);
        if !history.messages.is_empty() {
            leave_out(&mut history, &hides_after(&*self.bus, room, archived_to).await?);
        }
        Ok((history, next))
    }

    fn renew(&self, history: &mut History) {
        for message in &mut history.messages {
            if let Some(renewed) = self.media.renewed(&message.body) {
                message.body = renewed;
            }
        }
    }

    async fn stored(&self, room: &RoomId, span: Span, limit: usize) -> Result<History, Refusal> {
        let store = &self.store;
        let read = match span {
            Span::Offsets { from_ms, to_ms } => store.history_by_offset(room, from_ms, to_ms, limit).await,
            Span::After(after) => store.history(room, HistoryRange::After(after), limit).await,
            Span::Before(Some(before)) => store.history(room, HistoryRange::Before(before), limit).await,
            Span::Before(None) => store.history(room, HistoryRange::Latest, limit).await,
        };
        read.map_err(|error| unavailable(&error))
    }

    /// Returns the position up to which the archive has the stays of the room that are over: each partition is
    /// archived by itself, and a former one may be behind the one that the room is in.
    async fn whole_to(&self, room: &RoomId) -> Result<Sequence, Refusal> {
        let place = self.bus.settings().borrow().places.get(room).cloned();
        let Some(place) = place else { return Ok(Sequence::MAX) };
        let mut marks = BTreeMap::new();
        for partition in place.former() {
            let mark = self.store.archived_up_to(partition).await.map_err(|error| unavailable(&error))?;
            marks.insert(partition, mark);
        }
        Ok(place.archived_to(&marks).unwrap_or(Sequence::MAX))
    }
}

fn unavailable(error: &StoreError) -> Refusal {
    tracing::warn!(%error, "the history cannot be read");
    Refusal::new(Code::Unavailable, "history cannot be read now").retry_after_ms(RETRY_MS)
}

/// Cuts a page that was read with a greater limit, at the end where the next page begins.
fn cut(history: &mut History, span: Span, limit: usize) {
    let over = history.messages.len().saturating_sub(limit);
    history.more |= over > 0;
    match span {
        Span::Before(_) => drop(history.messages.drain(..over)),
        Span::After(_) | Span::Offsets { .. } => history.messages.truncate(limit),
    }
}

/// Removes the messages that were accepted after a time. They are the newest: no page follows behind them.
fn show_to(history: &mut History, span: Span, shown_to_ms: u64) {
    let count = history.messages.len();
    history.messages.retain(|message| message.at_ms <= shown_to_ms);
    let is_forward = !matches!(span, Span::Before(_));
    if is_forward && history.messages.len() < count {
        history.more = false;
    }
}

/// Removes the messages that signals hide.
fn leave_out(history: &mut History, hides: &[Hide]) {
    if hides.is_empty() {
        return;
    }
    let user = |message: &HistoryMessage| {
        let body: Value = serde_json::from_str(message.body.get()).unwrap_or_default();
        body["user"].clone()
    };
    history
        .messages
        .retain(|message| !hides.iter().any(|hide| hide.hides(message.sequence, || user(message))));
}

#[cfg(test)]
mod tests;
