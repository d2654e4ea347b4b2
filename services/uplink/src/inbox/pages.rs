//! Pages of a conversation's items.

use barrage_inbox::{ConversationId, Position, Refusal as Reason};
use barrage_protocol::UserId;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{ItemsPage, ReadAnswer};
use barrage_store::{End, Wanted};

use super::compose::check_position;
use super::control::InboxControl;
use super::refusals::{malformed, refused, unreadable};
use super::view;

/// Items in one page.
const PAGE_MAX: usize = 200;
/// Bytes of the items in one answer; a longer page is cut short, with one item at least.
pub(super) const ITEMS_BYTES_MAX: usize = 128 * 1024;

/// A range of items that a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageQuery {
    /// The items are behind this position, the oldest first.
    pub(crate) after: Option<u64>,
    /// The items are before this position, the newest first.
    pub(crate) before: Option<u64>,
    /// Items in the answer.
    pub(crate) limit: usize,
}

impl InboxControl {
    /// Returns items of a conversation that the user may read, oldest first.
    pub(crate) async fn page(
        &self,
        user: &UserId,
        conversation: &ConversationId,
        query: PageQuery,
    ) -> Result<ItemsPage, Refusal> {
        if query.after.is_some() && query.before.is_some() {
            return Err(malformed("name after or before, not both"));
        }
        if !(1..=PAGE_MAX).contains(&query.limit) {
            return Err(malformed(format!("limit: 1 to {PAGE_MAX}")));
        }
        if let Some(before) = query.before {
            check_position(before)?;
        }
        self.take_sync(user).await?;
        let _place = self.sync_place().await?;
        let found = self.store.membership(user, conversation).await.map_err(|error| unreadable(&error))?;
        let found = found.ok_or_else(|| refused(Reason::NotMember))?;
        let Some((after, before)) = view::readable(&found) else {
            // A member of an empty conversation reads nothing; all others are told that they may not.
            return if found.member.is_present() {
                Ok(ItemsPage { items: Vec::new(), more: false })
            } else {
                Err(refused(Reason::NotMember))
            };
        };
        let wanted = Wanted {
            conversation: found.conversation.number,
            after: after.max(Position(query.after.unwrap_or(0))),
            before: query.before.map_or(before, |asked| before.min(Position(asked))),
        };
        let end = if query.after.is_some() { End::Oldest } else { End::Newest };
        let reader = found.member.user;
        let shown = self.store.shown(reader, &[wanted], end, query.limit + 1).await;
        let shown = shown.map_err(|error| unreadable(&error))?;
        let mut items: Vec<_> =
            shown.into_iter().map(|stored| view::item(stored, reader, &self.media)).collect();
        // The next page begins where this one is cut: its last item with `after`, its first with `before`.
        if end == End::Newest {
            items.reverse();
        }
        let mut bytes = 0;
        let fits = items.iter().take(query.limit).take_while(|item| {
            let is_first = bytes == 0;
            bytes += view::bytes(item);
            is_first || bytes <= ITEMS_BYTES_MAX
        });
        let kept = fits.count();
        let more = items.len() > kept;
        items.truncate(kept);
        if end == End::Newest {
            items.reverse();
        }
        Ok(ItemsPage { items, more })
    }

    /// Returns how far the user, and its peer, have read a conversation.
    pub(crate) async fn read_places(
        &self,
        user: &UserId,
        conversation: &ConversationId,
    ) -> Result<ReadAnswer, Refusal> {
        let found = self.store.membership(user, conversation).await.map_err(|error| unreadable(&error))?;
        let found = found.filter(|found| found.member.is_present());
        let found = found.ok_or_else(|| refused(Reason::NotMember))?;
        Ok(ReadAnswer {
            read: found.member.counters.read.position.0,
            peer_read: found.peer_read.map(|position| position.0),
        })
    }
}
