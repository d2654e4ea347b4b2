//! Letters, posts to groups, and recalls.

use barrage_protocol::UserId;
use barrage_protocol::inbox::{Folder, GroupSettings, MENTIONS_MAX, Role};

use super::Outcome;
use super::planner::{Content, Decided, Planner};
use crate::conversation::{Conversation, ConversationState, RECALL_MS};
use crate::event::{Entry, Letter, Place, Standing};
use crate::id::{ConversationId, ConversationNumber, UserNumber};
use crate::item::{ItemKind, ItemState, Mention, Refusal};
use crate::law::{Counters, Mark};
use crate::member::Member;
use crate::policy;
use crate::rows::Target;

impl Planner {
    pub(super) fn letter(
        &mut self,
        entry: &Entry,
        sender: &UserId,
        to: &UserId,
        letter: &Letter,
        standing: Standing,
    ) -> Decided {
        let (from, to_number) = (self.user(sender), self.user(to));
        if from == to_number {
            return Err(Refusal::ToOneself);
        }
        let id = ConversationId::direct(sender, to);
        let known = self.rows.conversations.get(&id).map(|conversation| conversation.number);
        if let Some(repeated) = known.and_then(|number| self.repeated(number, from, letter)) {
            return repeated;
        }
        let blocks = &self.rows.blocks;
        if blocks.contains(&(from, to_number)) || blocks.contains(&(to_number, from)) {
            return Err(Refusal::Blocked);
        }
        let sent = known.and_then(|number| self.member(number, from)).map_or(0, |m| m.counters.own_count);
        let receiver = known.and_then(|number| self.member(number, to_number));
        let policy = self.rows.users[&to_number].preferences.policy;
        let folder = policy::folder_of(policy, standing, receiver, sent)?;
        let number = known.unwrap_or_else(|| self.open_direct(id, from, to_number));
        let before = [self.stored(number, from), self.stored(number, to_number)];
        let position = self.append(entry, number, from, Content::Letter(letter));
        self.settle(number, from, before[0], |member| {
            member.at_ms = entry.at_ms;
            if member.folder == Folder::Request {
                // An answer accepts the sender.
                member.folder = Folder::Main;
            }
        });
        self.settle(number, to_number, before[1], |member| {
            member.at_ms = entry.at_ms;
            member.folder = folder;
        });
        Ok(Outcome::Sent(number, position))
    }

    /// Adds a direct conversation with both members.
    fn open_direct(&mut self, id: ConversationId, owner: UserNumber, peer: UserNumber) -> ConversationNumber {
        let number = self.add_conversation(|number| Conversation {
            number,
            id,
            owner,
            peer: Some(peer),
            head: Mark::default(),
            sequence: barrage_protocol::Sequence::ZERO,
            at_ms: 0,
            members: 2,
            state: ConversationState::Open,
            settings: GroupSettings::default(),
        });
        for (user, other) in [(owner, peer), (peer, owner)] {
            let member = Member { peer: Some(other), ..Member::new(user, number, Counters::default()) };
            self.rows.members.insert((number, user), member);
        }
        number
    }

    /// Returns the outcome for an id that the sender has used in the conversation before.
    fn repeated(&self, number: ConversationNumber, from: UserNumber, letter: &Letter) -> Option<Decided> {
        let sent = self.rows.letters.get(&(number, from, letter.id.clone()))?;
        let is_same =
            sent.kind == ItemKind::Letter(letter.kind) && (sent.body.is_empty() || sent.body == letter.body);
        let duplicate = Outcome::Duplicate(number, sent.position);
        Some(if is_same { Ok(duplicate) } else { Err(Refusal::Conflict) })
    }

    pub(super) fn post(
        &mut self,
        entry: &Entry,
        sender: &UserId,
        group: &ConversationId,
        letter: &Letter,
        mentions: &[UserId],
    ) -> Decided {
        let (number, from) = (self.open_group(group)?, self.user(sender));
        if let Some(repeated) = self.repeated(number, from, letter) {
            return repeated;
        }
        if self.present(number, from)?.role == Role::Muted {
            return Err(Refusal::Muted);
        }
        let position = self.append(entry, number, from, Content::Letter(letter));
        self.settle(number, from, 0, |_| {});
        let mut mentioned: Vec<UserNumber> = Vec::new();
        for user in mentions.iter().take(MENTIONS_MAX).filter_map(|id| self.named(id)) {
            if user != from && !mentioned.contains(&user) && self.present(number, user).is_ok() {
                mentioned.push(user);
            }
        }
        let rows = mentioned.into_iter().map(|user| Mention { user, conversation: number, position });
        self.changes.mentions.extend(rows);
        Ok(Outcome::Sent(number, position))
    }

    pub(super) fn recall(&mut self, entry: &Entry, place: &Place) -> Decided {
        let (number, user) = (self.open(&place.conversation)?, self.user(&place.user));
        let member = self.present(number, user)?;
        let role = member.role;
        if !member.may_read(place.position) {
            return Err(Refusal::NoItem);
        }
        let new = self.new_item(number, place.position).map(|item| Target {
            sender: item.sender,
            at_ms: item.at_ms,
            kind: item.kind,
            state: item.state,
        });
        let target = new.or_else(|| self.rows.targets.get(&(number, place.position)).copied());
        let target = target.filter(|target| target.kind != ItemKind::Recall).ok_or(Refusal::NoItem)?;
        let moderates = role >= Role::Moderator;
        if target.sender != user && !moderates {
            return Err(Refusal::Forbidden);
        }
        if target.state == ItemState::Recalled {
            return Ok(Outcome::Unchanged);
        }
        if !moderates && entry.at_ms.saturating_sub(target.at_ms) > RECALL_MS {
            return Err(Refusal::TooLate);
        }
        self.take_back(number, place);
        // A recall does not count, so that nobody's part of a total moves.
        let pair = self.conversation(number).pair();
        let before = pair.map(|pair| pair.map(|user| self.stored(number, user)));
        let position = self.append(entry, number, user, Content::Recall(place.position));
        match (pair, before) {
            (Some(pair), Some(before)) => {
                for (user, before) in pair.into_iter().zip(before) {
                    self.settle(number, user, before, |member| member.at_ms = entry.at_ms);
                }
            }
            _ => self.settle(number, user, 0, |_| {}),
        }
        Ok(Outcome::Sent(number, position))
    }

    /// Removes the body of an item, whether it is stored already or not.
    fn take_back(&mut self, number: ConversationNumber, place: &Place) {
        if let Some(item) = self.new_item(number, place.position) {
            item.state = ItemState::Recalled;
            item.body.clear();
            return;
        }
        if let Some(target) = self.rows.targets.get_mut(&(number, place.position)) {
            target.state = ItemState::Recalled;
        }
        self.changes.recalled.push((number, place.position));
    }
}
