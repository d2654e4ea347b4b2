//! The state of a plan: loaded rows that change in place, and which of them changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use barrage_protocol::UserId;

use super::{BlockChange, Changes, Outcome};
use crate::conversation::{Conversation, ConversationState};
use crate::event::{Entry, Event, Letter};
use crate::id::{ConversationId, ConversationNumber, Kind, UserNumber};
use crate::item::{Item, ItemKind, ItemState, Refusal, Undelivered};
use crate::law::{Mark, Position, ReadMark, Version};
use crate::member::Member;
use crate::rows::{Rows, SentLetter};

pub(super) type Decided = Result<Outcome, Refusal>;

pub(super) struct Planner {
    pub(super) rows: Rows,
    /// Ids of the conversations by number: [`Rows::conversations`] is by id.
    ids: HashMap<ConversationNumber, ConversationId>,
    touched_users: BTreeSet<UserNumber>,
    touched_conversations: BTreeSet<ConversationNumber>,
    touched_members: BTreeSet<(ConversationNumber, UserNumber)>,
    /// Places in `changes.items` of each conversation's new items.
    new_items: HashMap<ConversationNumber, Vec<usize>>,
    pub(super) changes: Changes,
}

impl Planner {
    pub(super) fn new(rows: Rows) -> Self {
        let ids = rows.conversations.values().map(|c| (c.number, c.id.clone())).collect();
        Planner {
            rows,
            ids,
            touched_users: BTreeSet::new(),
            touched_conversations: BTreeSet::new(),
            touched_members: BTreeSet::new(),
            new_items: HashMap::new(),
            changes: Changes::default(),
        }
    }

    pub(super) fn take(&mut self, entry: &Entry) {
        let decided = match &entry.event {
            Event::Letter { sender, to, letter, standing } => {
                self.letter(entry, sender, to, letter, *standing)
            }
            Event::Post { sender, group, letter, mentions } => {
                self.post(entry, sender, group, letter, mentions)
            }
            Event::Read(place) => self.read(place),
            Event::Hide(place) => self.hide(place),
            Event::Clear(place) => self.clear(place),
            Event::Recall(place) => self.recall(entry, place),
            Event::See { user, conversation, view } => self.see(user, conversation, *view),
            Event::Prefer { user, preferences } => Ok(self.prefer(user, *preferences)),
            Event::Block { user, other } => self.block(entry, user, other),
            Event::Unblock { user, other } => Ok(self.unblock(user, other)),
            Event::Create { user, group, settings } => self.create(entry, user, group, settings),
            Event::Change { user, group, settings } => self.change(entry, user, group, settings),
            Event::Delete { user, group } => self.delete(entry, user, group),
            Event::Join { user, group, standing } => self.join(entry, user, group, *standing),
            Event::Leave { user, group } => self.leave(entry, user, group),
            Event::Appoint { by, user, group, role } => self.appoint(entry, by, user, group, *role),
        };
        let outcome = decided.unwrap_or_else(|refusal| {
            self.tell_sender(entry, refusal);
            Outcome::Refused(refusal)
        });
        self.changes.outcomes.push(outcome);
    }

    /// Leaves the sender a note about an accepted letter that has no effect.
    fn tell_sender(&mut self, entry: &Entry, refusal: Refusal) {
        let (sender, conversation, letter) = match &entry.event {
            Event::Letter { sender, to, letter, .. } => (sender, ConversationId::direct(sender, to), letter),
            Event::Post { sender, group, letter, .. } => (sender, group.clone(), letter),
            _ => return,
        };
        let user = self.user(sender);
        let version = self.touch(user);
        self.changes.undelivered.push(Undelivered {
            user,
            version,
            conversation,
            id: letter.id.clone(),
            refusal,
            at_ms: entry.at_ms,
        });
    }

    pub(super) fn finish(mut self) -> Changes {
        let rows = &mut self.rows;
        self.changes.users =
            self.touched_users.iter().filter_map(|number| rows.users.remove(number)).collect();
        self.changes.members =
            self.touched_members.iter().filter_map(|key| rows.members.remove(key)).collect();
        let ids = &self.ids;
        let seen: BTreeSet<_> = self.touched_members.iter().map(|(conversation, _)| *conversation).collect();
        self.changes.seen = seen
            .difference(&self.touched_conversations)
            .filter_map(|number| rows.conversations.get(&ids[number]).cloned())
            .collect();
        self.changes.conversations = self
            .touched_conversations
            .iter()
            .filter_map(|number| rows.conversations.remove(&ids[number]))
            .collect();
        // A user may end a block that began in the same batch: the last change counts.
        let mut last = BTreeMap::new();
        for change in self.changes.blocks.drain(..) {
            let (BlockChange::Begun(user, other, _) | BlockChange::Ended(user, other)) = change;
            last.insert((user, other), change);
        }
        self.changes.blocks = last.into_values().collect();
        self.changes
    }

    /// Returns the number of a user that acts in the batch.
    pub(super) fn user(&self, id: &UserId) -> UserNumber {
        self.rows.numbers[id]
    }

    /// Returns the number of a user whom another one names; `None` for an id that nobody has.
    pub(super) fn named(&self, id: &UserId) -> Option<UserNumber> {
        self.rows.numbers.get(id).copied()
    }

    /// Returns the number of an open conversation.
    pub(super) fn open(&self, id: &ConversationId) -> Result<ConversationNumber, Refusal> {
        let found = self.rows.conversations.get(id);
        let open = found.filter(|conversation| conversation.state == ConversationState::Open);
        open.map(|conversation| conversation.number).ok_or(Refusal::NotMember)
    }

    /// Returns the number of an open group.
    pub(super) fn open_group(&self, id: &ConversationId) -> Result<ConversationNumber, Refusal> {
        if id.kind() == Kind::Group { self.open(id) } else { Err(Refusal::NotMember) }
    }

    pub(super) fn conversation(&self, number: ConversationNumber) -> &Conversation {
        &self.rows.conversations[&self.ids[&number]]
    }

    /// Returns a conversation that then counts as changed by the entry.
    pub(super) fn conversation_mut(
        &mut self,
        number: ConversationNumber,
        entry: &Entry,
    ) -> &mut Conversation {
        self.touched_conversations.insert(number);
        let conversation = self.rows.conversations.get_mut(&self.ids[&number]);
        let conversation = conversation.expect("every number in `ids` has a row");
        conversation.sequence = entry.sequence;
        conversation
    }

    /// Adds a conversation under the next free number.
    pub(super) fn add_conversation(
        &mut self,
        make: impl FnOnce(ConversationNumber) -> Conversation,
    ) -> ConversationNumber {
        let number = self.rows.free_numbers.pop().expect("each unknown conversation has a free number");
        let conversation = make(number);
        self.ids.insert(number, conversation.id.clone());
        self.touched_conversations.insert(number);
        self.rows.conversations.insert(conversation.id.clone(), conversation);
        number
    }

    pub(super) fn member(&self, conversation: ConversationNumber, user: UserNumber) -> Option<&Member> {
        self.rows.members.get(&(conversation, user))
    }

    /// Returns the row of a user who is in the conversation now.
    pub(super) fn present(
        &self,
        conversation: ConversationNumber,
        user: UserNumber,
    ) -> Result<&Member, Refusal> {
        let member = self.member(conversation, user).filter(|member| member.is_present());
        member.ok_or(Refusal::NotMember)
    }

    /// Raises the version of the user's inbox, once in a batch, and returns it.
    pub(super) fn touch(&mut self, number: UserNumber) -> Version {
        let user = self.rows.users.get_mut(&number).expect("each named user has a row");
        if self.touched_users.insert(number) {
            user.version.0 += 1;
        }
        user.version
    }

    /// Changes a member, its part of the user's total, and the user's version: always all three. `before`
    /// is the member's part of the total before the conversation's head moved.
    pub(super) fn settle(
        &mut self,
        conversation: ConversationNumber,
        user: UserNumber,
        before: u64,
        change: impl FnOnce(&mut Member),
    ) {
        let version = self.touch(user);
        self.touched_members.insert((conversation, user));
        let (kind, head) = (self.ids[&conversation].kind(), self.conversation(conversation).head);
        let member = self.rows.members.get_mut(&(conversation, user)).expect("settled members have a row");
        change(member);
        member.version = version;
        let after = member.stored(kind, head);
        let user = self.rows.users.get_mut(&user).expect("each named user has a row");
        user.unread = user.unread.saturating_sub(before) + after;
    }

    /// Returns the member's part of the user's stored total.
    pub(super) fn stored(&self, conversation: ConversationNumber, user: UserNumber) -> u64 {
        let kind = self.ids[&conversation].kind();
        let head = self.conversation(conversation).head;
        self.member(conversation, user).map_or(0, |member| member.stored(kind, head))
    }

    /// Gives an item the next position, and counts it for the conversation and its sender.
    pub(super) fn append(
        &mut self,
        entry: &Entry,
        conversation: ConversationNumber,
        sender: UserNumber,
        content: Content<'_>,
    ) -> Position {
        let (kind, target, letter) = match content {
            Content::Letter(letter) => (ItemKind::Letter(letter.kind), None, Some(letter)),
            Content::Recall(target) => (ItemKind::Recall, Some(target), None),
        };
        let counted = u64::from(kind.is_countable());
        let row = self.conversation_mut(conversation, entry);
        row.head = Mark { position: Position(row.head.position.0 + 1), count: row.head.count + counted };
        row.at_ms = entry.at_ms;
        let head = row.head;
        let member = self.rows.members.get_mut(&(conversation, sender)).expect("a sender is a member");
        member.counters.own_count += counted;
        let own = member.counters.own_count;
        if let Some(letter) = letter {
            let sent = SentLetter { position: head.position, kind, body: letter.body.clone() };
            self.rows.letters.insert((conversation, sender, letter.id.clone()), sent);
        }
        self.new_items.entry(conversation).or_default().push(self.changes.items.len());
        self.changes.items.push(Item {
            conversation,
            position: head.position,
            count: head.count,
            own,
            sender,
            id: letter.map(|letter| letter.id.clone()),
            at_ms: entry.at_ms,
            sequence: entry.sequence,
            kind,
            body: letter.map(|letter| letter.body.clone()).unwrap_or_default(),
            target,
            state: ItemState::Shown,
        });
        head.position
    }

    /// Returns the new item at a position; `None` when it is from before the batch.
    pub(super) fn new_item(
        &mut self,
        conversation: ConversationNumber,
        position: Position,
    ) -> Option<&mut Item> {
        let places = self.new_items.get(&conversation)?;
        let found = places.iter().find(|place| self.changes.items[**place].position == position)?;
        self.changes.items.get_mut(*found)
    }

    /// Returns the place at a position up to the head, as the user reads up to it.
    pub(super) fn read_mark(
        &self,
        conversation: ConversationNumber,
        user: UserNumber,
        position: Position,
    ) -> Result<ReadMark, Refusal> {
        let places = self.new_items.get(&conversation).map_or(&[][..], Vec::as_slice);
        let head = self.conversation(conversation).head;
        let loaded = head.position.0 - u64::try_from(places.len()).unwrap_or(0);
        if position.0 < loaded {
            let known = self.rows.reads.get(&(conversation, user, position)).copied();
            let mut mark = known.ok_or(Refusal::NoItem)?;
            // Items that were removed for their age are in the member's counter alone. The count of own items only
            // grows with the position.
            let own_read = self.member(conversation, user).map_or(0, |member| member.counters.own_read);
            mark.own = mark.own.max(own_read);
            return Ok(mark);
        }
        let mut mark = ReadMark {
            at: Mark { position, count: head.count },
            own: self.member(conversation, user).map_or(0, |member| member.counters.own_count),
        };
        for item in places.iter().rev().map(|place| &self.changes.items[*place]) {
            if item.position <= position {
                break;
            }
            let counted = u64::from(item.kind.is_countable());
            mark.at.count -= counted;
            mark.own -= if item.sender == user { counted } else { 0 };
        }
        Ok(mark)
    }
}

/// Content of a new item.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    Letter(&'a Letter),
    Recall(Position),
}
