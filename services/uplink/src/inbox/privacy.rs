//! Erase and export of one user, for operators and the law.

use std::time::Duration;

use barrage_inbox::{
    ConversationState, Event, Kind, Position, Preferences, Receipts, Role, Version, WritePolicy,
};
use barrage_protocol::UserId;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{ConversationView, ItemView};
use barrage_store::{Away, AwayRange, End, Membership, Wanted};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use super::control::InboxControl;
use super::erased::PSEUDONYMS_MAX;
use super::refusals::unreadable;
use super::view;

/// Conversations that are read at once.
const PAGE: usize = 300;
/// Items that are read, or erased, at once.
const ITEMS: usize = 1_000;
/// Longest wait for the letters that are in a lane.
const CAUGHT_UP_MAX: Duration = Duration::from_secs(5);
/// Time between two looks at a lane.
const CAUGHT_UP_LOOK: Duration = Duration::from_millis(20);
/// Rounds of erasing in one call.
const ROUNDS_MAX: usize = 50;

/// What an erase has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Erased {
    /// Groups that the user left, or owned and that are deleted.
    pub(crate) groups: u64,
    /// Blocks of the user that ended.
    pub(crate) blocks: u64,
    /// Items whose bodies are gone.
    pub(crate) items: u64,
    /// There are more, or letters wait for the tables: the call is to be made again.
    pub(crate) more: bool,
    /// Id that took the place of the user's; `None` while there are more, and for a user without an inbox.
    pub(crate) pseudonym: Option<UserId>,
}

/// A line of an export.
#[derive(Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line<'a> {
    User {
        user: &'a UserId,
        version: u64,
        unread: u64,
        preferences: Preferences,
        blocked: &'a [UserId],
    },
    Conversation(Box<ConversationView>),
    Item {
        conversation: &'a str,
        #[serde(flatten)]
        item: ItemView,
    },
}

impl InboxControl {
    /// Erases a user's inbox as far as it is the user's own: bodies of its items, groups, blocks, and at last its id.
    /// Positions and counts stay, so that no other user's unread moves. A call that was cut off is made again.
    pub(crate) async fn erase(&self, user: &UserId) -> Result<Erased, Refusal> {
        let mut erased = Erased::default();
        let mut range = AwayRange::after(Version(0));
        loop {
            let away = self.store.away(user, range, PAGE).await.map_err(|error| unreadable(&error))?;
            let Some(away) = away else { return Ok(erased) };
            if range.below.is_none() {
                erased.blocks = self.end_blocks(user, &away).await?;
            }
            for found in &away.memberships {
                erased.groups += self.leave_for(user, found).await?;
            }
            match next(&away) {
                Some(below) => range.below = Some(below),
                None => break,
            }
        }
        self.store.erase_push(user).await.map_err(|error| unreadable(&error))?;
        let preferences = Preferences { policy: WritePolicy::Known, receipts: Receipts::Hidden };
        self.append_one(Event::Prefer { user: user.clone(), preferences }).await?;
        // What waits in a lane under the id would make a new inbox of that id.
        if !self.is_caught_up().await {
            return Ok(Erased { more: true, ..erased });
        }
        for _ in 0..ROUNDS_MAX {
            let some = self.store.erase(user, ITEMS).await.map_err(|error| unreadable(&error))?;
            erased.items += some;
            if some < ITEMS as u64 {
                erased.pseudonym = self.rename(user).await?;
                return Ok(Erased { more: erased.pseudonym.is_none(), ..erased });
            }
        }
        Ok(Erased { more: true, ..erased })
    }

    /// Puts a pseudonym in the place of a user's id. Returns `None` when the user has used up its pseudonyms.
    async fn rename(&self, user: &UserId) -> Result<Option<UserId>, Refusal> {
        for number in 0..PSEUDONYMS_MAX {
            let pseudonym = self.access.pseudonyms.of(user, number);
            if self.store.rename(user, &pseudonym).await.map_err(|error| unreadable(&error))? {
                self.access.note_erased(user).await;
                return Ok(Some(pseudonym));
            }
        }
        Ok(None)
    }

    /// Waits until the tables have everything that the lanes held a moment ago; returns whether they have.
    async fn is_caught_up(&self) -> bool {
        let until = barrage_clock::now() + CAUGHT_UP_MAX;
        for lane in 0..self.lanes.lanes() {
            let newest = *self.lanes.tail(lane).borrow();
            loop {
                let taken = self.store.mark(lane).await.unwrap_or_default();
                if taken >= newest {
                    break;
                }
                // The newest position may have no entry.
                match self.lanes.read(lane, taken, 1).await {
                    Ok(waiting) if waiting.is_empty() => break,
                    _ if barrage_clock::now() >= until => return false,
                    _ => tokio::time::sleep(CAUGHT_UP_LOOK).await,
                }
            }
        }
        true
    }

    async fn end_blocks(&self, user: &UserId, away: &Away) -> Result<u64, Refusal> {
        for other in &away.blocked {
            self.append_one(Event::Unblock { user: user.clone(), other: other.clone() }).await?;
        }
        Ok(away.blocked.len() as u64)
    }

    /// Leaves a group, or deletes one that the user owns. Returns the number of groups.
    async fn leave_for(&self, user: &UserId, found: &Membership) -> Result<u64, Refusal> {
        let is_open = found.conversation.state == ConversationState::Open;
        if found.conversation.id.kind() != Kind::Group || !is_open || found.member.left.is_some() {
            return Ok(0);
        }
        let (user, group) = (user.clone(), found.conversation.id.clone());
        self.append_one(match found.member.role {
            Role::Owner => Event::Delete { user, group },
            _ => Event::Leave { user, group },
        })
        .await?;
        Ok(1)
    }

    /// Writes the inbox of a user as JSON Lines: the user, each conversation, and behind it the items that the user may
    /// read. Ends when the reader has gone.
    pub(crate) async fn export(&self, user: &UserId, lines: &mpsc::Sender<Bytes>) -> Result<(), Refusal> {
        let mut range = AwayRange::after(Version(0));
        loop {
            let away = self.store.away(user, range, PAGE).await.map_err(|error| unreadable(&error))?;
            let Some(away) = away else { return Ok(()) };
            if range.below.is_none() {
                let line = Line::User {
                    user,
                    version: away.user.version.0,
                    unread: away.user.unread + away.group_unread,
                    preferences: away.user.preferences,
                    blocked: &away.blocked,
                };
                if !write(lines, &line).await {
                    return Ok(());
                }
            }
            for found in &away.memberships {
                if !self.export_conversation(found, lines).await? {
                    return Ok(());
                }
            }
            match next(&away) {
                Some(below) => range.below = Some(below),
                None => return Ok(()),
            }
        }
    }

    /// Writes a conversation with its items. Returns whether the reader is still there.
    async fn export_conversation(
        &self,
        found: &Membership,
        lines: &mpsc::Sender<Bytes>,
    ) -> Result<bool, Refusal> {
        let conversation = found.conversation.id.to_string();
        if !write(lines, &Line::Conversation(Box::new(view::conversation(found)))).await {
            return Ok(false);
        }
        let Some((mut after, before)) = view::readable(found) else { return Ok(true) };
        loop {
            let wanted = Wanted { conversation: found.conversation.number, after, before };
            let some = self.store.shown(found.member.user, &[wanted], End::Oldest, ITEMS).await;
            let some = some.map_err(|error| unreadable(&error))?;
            let (count, last) = (some.len(), some.last().map(|stored| stored.item.position));
            for stored in some {
                let item = view::item(stored, found.member.user, &self.media);
                if !write(lines, &Line::Item { conversation: &conversation, item }).await {
                    return Ok(false);
                }
            }
            match last {
                Some(Position(position)) if count == ITEMS => after = Position(position),
                _ => return Ok(true),
            }
        }
    }
}

/// Returns where the next page of conversations begins.
fn next(away: &Away) -> Option<(Version, barrage_inbox::ConversationNumber)> {
    let last = away.memberships.last().filter(|_| away.more)?;
    Some((last.member.version, last.conversation.number))
}

async fn write(lines: &mpsc::Sender<Bytes>, line: &Line<'_>) -> bool {
    let mut text = serde_json::to_vec(line).expect("a line is plain data");
    text.push(b'\n');
    lines.send(text.into()).await.is_ok()
}
