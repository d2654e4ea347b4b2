//! What the plan of a batch has to know: the keys of the rows that the store loads for it.

use std::collections::BTreeSet;

use barrage_protocol::{MessageId, UserId};

use crate::event::{Entry, Event, Place};
use crate::id::{ConversationId, Kind};
use crate::law::Position;

/// Keys of the rows that the events of a batch read. Of each direct conversation among them, the store
/// loads both users and both members as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Users that the events name. The store creates those that are new.
    pub users: BTreeSet<UserId>,
    /// Users whom others name, and who get no row by it: mentioned and appointed ones, and those of a block that ends.
    /// The store loads those that it has.
    pub named: BTreeSet<UserId>,
    /// Conversations that the events name.
    pub conversations: BTreeSet<ConversationId>,
    /// Members of groups that the events name.
    pub members: BTreeSet<(ConversationId, UserId)>,
    /// Users whose number of groups matters.
    pub groups: BTreeSet<UserId>,
    /// Pairs that may have a block, the blocking user first.
    pub blocks: BTreeSet<(UserId, UserId)>,
    /// Items of a sender by the id that the sender chose.
    pub letters: BTreeSet<(ConversationId, UserId, MessageId)>,
    /// Places that a user reads up to.
    pub reads: BTreeSet<(ConversationId, UserId, Position)>,
    /// Items that are to be recalled.
    pub targets: BTreeSet<(ConversationId, Position)>,
}

impl Needs {
    /// Returns the keys of a batch.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Self {
        let mut needs = Needs::default();
        for entry in entries {
            needs.add(&entry.event);
        }
        needs
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::Letter { sender, to, letter, .. } => {
                self.users.extend([sender.clone(), to.clone()]);
                self.blocks.extend([(sender.clone(), to.clone()), (to.clone(), sender.clone())]);
                let conversation = ConversationId::direct(sender, to);
                self.conversations.insert(conversation.clone());
                self.letters.insert((conversation, sender.clone(), letter.id.clone()));
            }
            Event::Post { sender, group, letter, mentions } => {
                self.member(group, sender);
                self.letters.insert((group.clone(), sender.clone(), letter.id.clone()));
                for mentioned in mentions.iter().take(crate::MENTIONS_MAX) {
                    self.named_member(group, mentioned);
                }
            }
            Event::Read(place) | Event::Hide(place) | Event::Clear(place) => {
                self.member(&place.conversation, &place.user);
                let Place { user, conversation, position } = place.clone();
                self.reads.insert((conversation, user, position));
            }
            Event::Recall(place) => {
                self.member(&place.conversation, &place.user);
                self.targets.insert((place.conversation.clone(), place.position));
            }
            Event::See { user, conversation, .. } => self.member(conversation, user),
            Event::Prefer { user, .. } => {
                self.users.insert(user.clone());
            }
            Event::Block { user, other } => {
                self.users.extend([user.clone(), other.clone()]);
                self.blocks.insert((user.clone(), other.clone()));
            }
            Event::Unblock { user, other } => {
                self.named.extend([user.clone(), other.clone()]);
                self.blocks.insert((user.clone(), other.clone()));
            }
            Event::Create { user, group, .. } | Event::Join { user, group, .. } => {
                self.member(group, user);
                self.groups.insert(user.clone());
            }
            Event::Change { user, group, .. }
            | Event::Delete { user, group }
            | Event::Leave { user, group } => self.member(group, user),
            Event::Appoint { by, user, group, .. } => {
                self.member(group, by);
                self.named_member(group, user);
                self.groups.insert(user.clone());
            }
        }
    }

    fn member(&mut self, conversation: &ConversationId, user: &UserId) {
        self.users.insert(user.clone());
        self.row_of(conversation, user);
    }

    fn named_member(&mut self, conversation: &ConversationId, user: &UserId) {
        self.named.insert(user.clone());
        self.row_of(conversation, user);
    }

    fn row_of(&mut self, conversation: &ConversationId, user: &UserId) {
        self.conversations.insert(conversation.clone());
        if conversation.kind() == Kind::Group {
            self.members.insert((conversation.clone(), user.clone()));
        }
    }
}
