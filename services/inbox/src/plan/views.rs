//! What a user changes for itself: reads, hidden and cleared items, views, rules and blocks.

use barrage_protocol::UserId;
use barrage_protocol::inbox::{Folder, Preferences, Receipts, View};

use super::planner::{Decided, Planner};
use super::{BlockChange, Outcome};
use crate::event::{Entry, Place};
use crate::id::{ConversationId, ConversationNumber, UserNumber};
use crate::item::{HiddenItem, Refusal};
use crate::law::{Position, ReadMark};

impl Planner {
    pub(super) fn read(&mut self, place: &Place) -> Decided {
        let (number, user) = (self.open(&place.conversation)?, self.user(&place.user));
        let member = self.present(number, user)?;
        let (was_marked, read) = (member.marked, member.counters.read.position);
        let position = place.position.min(self.conversation(number).head.position);
        if position <= read && !was_marked {
            return Ok(Outcome::Unchanged);
        }
        let mark = self.mark_after(number, user, position)?;
        let before = self.stored(number, user);
        self.settle(number, user, before, |member| {
            if let Some(mark) = mark {
                member.counters.read_to(mark);
            }
            member.marked = false;
        });
        if mark.is_some() {
            self.show_peer(number, user);
        }
        Ok(Outcome::Done)
    }

    /// Returns the place to read up to; `None` when the user has read it already.
    fn mark_after(
        &self,
        number: ConversationNumber,
        user: UserNumber,
        position: Position,
    ) -> Result<Option<ReadMark>, Refusal> {
        let read = self.member(number, user).map(|member| member.counters.read.position);
        if read.is_some_and(|read| position <= read) {
            return Ok(None);
        }
        self.read_mark(number, user, position).map(Some)
    }

    /// Lets the peer of a direct conversation see how far the user has read, when both take part.
    fn show_peer(&mut self, number: ConversationNumber, user: UserNumber) {
        let Some(peer) = self.member(number, user).and_then(|member| member.peer) else { return };
        let shows = |user| self.rows.users[&user].preferences.receipts == Receipts::Shown;
        if shows(user) && shows(peer) {
            let before = self.stored(number, peer);
            self.settle(number, peer, before, |_| {});
        }
    }

    pub(super) fn hide(&mut self, place: &Place) -> Decided {
        let (number, user) = (self.open(&place.conversation)?, self.user(&place.user));
        let is_there = place.position <= self.conversation(number).head.position;
        if !is_there || !self.present(number, user)?.may_read(place.position) {
            return Err(Refusal::NoItem);
        }
        let mark = self.mark_after(number, user, place.position)?;
        let before = self.stored(number, user);
        self.settle(number, user, before, |member| {
            // A hidden item that stayed unread could not be read any more.
            if let Some(mark) = mark {
                member.counters.read_to(mark);
            }
        });
        let version = self.touch(user);
        let hidden = HiddenItem { user, conversation: number, position: place.position, version };
        if !self.changes.hidden.contains(&hidden) {
            self.changes.hidden.push(hidden);
        }
        Ok(Outcome::Done)
    }

    pub(super) fn clear(&mut self, place: &Place) -> Decided {
        let (number, user) = (self.open(&place.conversation)?, self.user(&place.user));
        let cleared = self.present(number, user)?.cleared;
        let position = place.position.min(self.conversation(number).head.position);
        if position <= cleared {
            return Ok(Outcome::Unchanged);
        }
        let mark = self.mark_after(number, user, position)?;
        let before = self.stored(number, user);
        self.settle(number, user, before, |member| {
            if let Some(mark) = mark {
                member.counters.read_to(mark);
            }
            member.cleared = position;
            member.marked = false;
        });
        Ok(Outcome::Done)
    }

    pub(super) fn see(&mut self, user: &UserId, conversation: &ConversationId, view: View) -> Decided {
        let (number, user) = (self.open(conversation)?, self.user(user));
        let mut wanted = self.present(number, user)?.clone();
        if view.folder == Some(Folder::Request) && wanted.folder != Folder::Request {
            return Err(Refusal::Forbidden);
        }
        wanted.folder = view.folder.unwrap_or(wanted.folder);
        wanted.notify = view.notify.unwrap_or(wanted.notify);
        wanted.pinned = view.pinned.unwrap_or(wanted.pinned);
        wanted.marked = view.marked.unwrap_or(wanted.marked);
        if Some(&wanted) == self.member(number, user) {
            return Ok(Outcome::Unchanged);
        }
        let before = self.stored(number, user);
        self.settle(number, user, before, |member| *member = wanted);
        Ok(Outcome::Done)
    }

    pub(super) fn prefer(&mut self, user: &UserId, preferences: Preferences) -> Outcome {
        let number = self.user(user);
        if self.rows.users[&number].preferences == preferences {
            return Outcome::Unchanged;
        }
        self.touch(number);
        if let Some(user) = self.rows.users.get_mut(&number) {
            user.preferences = preferences;
        }
        self.changes.preferred.push(number);
        Outcome::Done
    }

    pub(super) fn block(&mut self, entry: &Entry, user: &UserId, other: &UserId) -> Decided {
        let (user, other) = (self.user(user), self.user(other));
        if user == other {
            return Err(Refusal::ToOneself);
        }
        if !self.rows.blocks.insert((user, other)) {
            return Ok(Outcome::Unchanged);
        }
        self.touch(user);
        self.changes.blocks.push(BlockChange::Begun(user, other, entry.at_ms));
        Ok(Outcome::Done)
    }

    pub(super) fn unblock(&mut self, user: &UserId, other: &UserId) -> Outcome {
        let (Some(user), Some(other)) = (self.named(user), self.named(other)) else {
            return Outcome::Unchanged;
        };
        if !self.rows.blocks.remove(&(user, other)) {
            return Outcome::Unchanged;
        }
        self.touch(user);
        self.changes.blocks.push(BlockChange::Ended(user, other));
        Outcome::Done
    }
}
