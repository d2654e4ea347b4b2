//! The tables of the inbox in memory.

use barrage_protocol::inbox::Preferences;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use barrage_protocol::{MessageId, Sequence, UserId};

use crate::conversation::{Conversation, ConversationState};
use crate::event::Entry;
use crate::id::{ConversationId, ConversationNumber, UserNumber};
use crate::item::{HiddenItem, Item, ItemState, Mention, Undelivered};
use crate::law::{Mark, Position, ReadMark, Version};
use crate::member::Member;
use crate::needs::Needs;
use crate::plan::{BlockChange, Changes, plan};
use crate::rows::{Rows, SentLetter, Target};
use crate::user::User;

/// All tables. A store that has taken the same events has the same rows.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Users by their numbers.
    pub users: BTreeMap<UserNumber, User>,
    /// Conversations by their numbers.
    pub conversations: BTreeMap<ConversationNumber, Conversation>,
    /// Members by conversation and user.
    pub members: BTreeMap<(ConversationNumber, UserNumber), Member>,
    /// Items by conversation, in the order of positions.
    pub items: BTreeMap<ConversationNumber, Vec<Item>>,
    /// Hidden items by user, conversation and position.
    pub hidden: BTreeMap<(UserNumber, ConversationNumber, Position), HiddenItem>,
    /// Mentions in the order of the events.
    pub mentions: Vec<Mention>,
    /// Blocks, the blocking user first.
    pub blocks: BTreeSet<(UserNumber, UserNumber)>,
    /// Letters without an effect, in the order of the events.
    pub undelivered: Vec<Undelivered>,
    /// Position of the lane.
    pub mark: Sequence,
    user_numbers: HashMap<UserId, UserNumber>,
    conversation_numbers: HashMap<ConversationId, ConversationNumber>,
    letters: HashMap<(ConversationNumber, UserNumber, MessageId), Position>,
}

impl Tables {
    /// Takes a batch of one lane.
    pub fn project(&mut self, entries: &[Entry]) -> Changes {
        let needs = Needs::of(entries);
        for user in &needs.users {
            self.add_user(user);
        }
        let changes = plan(self.load(&needs), entries);
        self.write(&changes);
        if let Some(last) = entries.last() {
            self.mark = last.sequence;
        }
        changes
    }

    /// Returns the number of a known user.
    #[must_use]
    pub fn user_number(&self, id: &UserId) -> Option<UserNumber> {
        self.user_numbers.get(id).copied()
    }

    fn add_user(&mut self, id: &UserId) {
        if self.user_numbers.contains_key(id) {
            return;
        }
        let number = UserNumber(next(self.users.len()));
        let preferences = Preferences::default();
        let user = User { number, id: id.clone(), version: Version(0), unread: 0, preferences };
        self.users.insert(number, user);
        self.user_numbers.insert(id.clone(), number);
    }

    fn load(&self, needs: &Needs) -> Rows {
        let mut rows = Rows::default();
        let known = |id: &UserId| self.user_numbers.get(id).copied();
        let mut users: BTreeSet<_> = needs.users.iter().chain(&needs.named).filter_map(known).collect();
        for id in &needs.conversations {
            let Some(number) = self.conversation_numbers.get(id) else {
                let free = next(self.conversations.len() + rows.free_numbers.len());
                rows.free_numbers.push(ConversationNumber(free));
                continue;
            };
            let conversation = self.conversations[number].clone();
            for user in conversation.pair().into_iter().flatten() {
                users.insert(user);
                rows.members.insert((*number, user), self.members[&(*number, user)].clone());
            }
            rows.conversations.insert(id.clone(), conversation);
        }
        // The plan takes free numbers from the end.
        rows.free_numbers.reverse();
        for (conversation, user) in &needs.members {
            let Some(number) = self.conversation_numbers.get(conversation) else { continue };
            let Some(user) = known(user) else { continue };
            let key = (*number, user);
            rows.members.extend(self.members.get(&key).map(|member| (key, member.clone())));
        }
        for user in users {
            rows.add_user(self.users[&user].clone());
        }
        for user in needs.groups.iter().filter_map(known) {
            rows.groups.insert(user, self.groups_of(user));
        }
        let pairs = needs.blocks.iter().filter_map(|(one, other)| Some((known(one)?, known(other)?)));
        rows.blocks.extend(pairs.filter(|pair| self.blocks.contains(pair)));
        self.load_items(needs, &mut rows);
        rows
    }

    fn load_items(&self, needs: &Needs, rows: &mut Rows) {
        for (conversation, user, id) in &needs.letters {
            let Some(number) = self.conversation_numbers.get(conversation) else { continue };
            let key = (*number, self.user_numbers[user], id.clone());
            let Some(item) = self.letters.get(&key).and_then(|position| self.item(*number, *position)) else {
                continue;
            };
            let Item { position, kind, body, .. } = item.clone();
            rows.letters.insert(key, SentLetter { position, kind, body });
        }
        for (conversation, user, position) in &needs.reads {
            let Some(number) = self.conversation_numbers.get(conversation) else { continue };
            let user = self.user_numbers[user];
            if let Some(mark) = self.read_mark(*number, user, *position) {
                rows.reads.insert((*number, user, *position), mark);
            }
        }
        for (conversation, position) in &needs.targets {
            let Some(number) = self.conversation_numbers.get(conversation) else { continue };
            if let Some(Item { sender, at_ms, kind, state, .. }) = self.item(*number, *position).cloned() {
                rows.targets.insert((*number, *position), Target { sender, at_ms, kind, state });
            }
        }
    }

    fn item(&self, conversation: ConversationNumber, position: Position) -> Option<&Item> {
        let place = usize::try_from(position.0.checked_sub(1)?).ok()?;
        self.items.get(&conversation)?.get(place)
    }

    fn read_mark(
        &self,
        conversation: ConversationNumber,
        user: UserNumber,
        position: Position,
    ) -> Option<ReadMark> {
        let item = self.item(conversation, position)?;
        let at = Mark { position, count: item.count };
        if self.conversations[&conversation].pair().is_some() {
            return Some(ReadMark::in_direct(at, item.sender, item.own, user));
        }
        let items = &self.items[&conversation];
        let before = items.iter().rev().skip_while(|item| item.position > position);
        let own = before.filter(|item| item.sender == user).map(|item| item.own).next().unwrap_or(0);
        Some(ReadMark { at, own })
    }

    fn groups_of(&self, user: UserNumber) -> u32 {
        let present = self.members.values().filter(|member| {
            let conversation = &self.conversations[&member.conversation];
            member.user == user
                && member.is_present()
                && member.peer.is_none()
                && conversation.state == ConversationState::Open
        });
        u32::try_from(present.count()).unwrap_or(u32::MAX)
    }

    fn write(&mut self, changes: &Changes) {
        for user in &changes.users {
            self.users.insert(user.number, user.clone());
        }
        for conversation in &changes.conversations {
            self.conversation_numbers.insert(conversation.id.clone(), conversation.number);
            self.conversations.insert(conversation.number, conversation.clone());
        }
        for member in &changes.members {
            self.members.insert((member.conversation, member.user), member.clone());
        }
        for item in &changes.items {
            if let Some(id) = &item.id {
                self.letters.insert((item.conversation, item.sender, id.clone()), item.position);
            }
            self.items.entry(item.conversation).or_default().push(item.clone());
        }
        for (conversation, position) in &changes.recalled {
            let items = self.items.get_mut(conversation);
            if let Some(item) = items.and_then(|items| items.iter_mut().find(|i| i.position == *position)) {
                item.state = ItemState::Recalled;
                item.body.clear();
            }
        }
        for hidden in &changes.hidden {
            self.hidden.insert((hidden.user, hidden.conversation, hidden.position), *hidden);
        }
        self.mentions.extend(&changes.mentions);
        for block in &changes.blocks {
            match *block {
                BlockChange::Begun(user, other, _) => self.blocks.insert((user, other)),
                BlockChange::Ended(user, other) => self.blocks.remove(&(user, other)),
            };
        }
        self.undelivered.extend(changes.undelivered.iter().cloned());
    }
}

/// Returns the number of the next row, from 1.
fn next(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX).saturating_add(1)
}
