//! Counts unread items from lists, without a counter: slow, and simple enough to be right.

use barrage_protocol::inbox::{Folder, JoinPolicy, Notify, Role, WritePolicy};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use barrage_protocol::UserId;

use crate::event::{Entry, Event, Place, Standing};
use crate::id::{ConversationId, Kind};
use crate::law::Position;
use crate::plan::Outcome;

/// Lists of all items and readers. It takes each event with the outcome of the plan, and counts by itself.
#[derive(Debug, Clone, Default)]
pub struct Recount {
    /// Sender of each item, in the order of positions; `None` for an item that does not count.
    items: HashMap<ConversationId, Vec<Option<UserId>>>,
    readers: BTreeMap<(UserId, ConversationId), Reader>,
    policies: HashMap<UserId, WritePolicy>,
    joins: HashMap<ConversationId, JoinPolicy>,
    deleted: BTreeSet<ConversationId>,
}

#[derive(Debug, Clone)]
struct Reader {
    read: usize,
    folder: Folder,
    notify: Notify,
    role: Role,
    is_away: bool,
}

impl Reader {
    fn new(read: usize, folder: Folder, role: Role) -> Self {
        Reader { read, folder, notify: Notify::All, role, is_away: false }
    }

    fn is_present(&self) -> bool {
        !self.is_away && self.role > Role::Applicant
    }
}

impl Recount {
    /// Takes an event with its outcome.
    pub fn take(&mut self, entry: &Entry, outcome: Outcome) {
        if matches!(outcome, Outcome::Refused(_) | Outcome::Unchanged | Outcome::Duplicate(..)) {
            return;
        }
        match &entry.event {
            Event::Letter { sender, to, standing, .. } => self.letter(sender, to, *standing),
            Event::Post { sender, group, .. } => {
                self.items.entry(group.clone()).or_default().push(Some(sender.clone()));
            }
            Event::Recall(place) => self.items.entry(place.conversation.clone()).or_default().push(None),
            Event::Read(place) | Event::Hide(place) | Event::Clear(place) => self.read(place),
            Event::See { user, conversation, view } => {
                let reader = self.reader(user, conversation);
                reader.folder = view.folder.unwrap_or(reader.folder);
                reader.notify = view.notify.unwrap_or(reader.notify);
            }
            Event::Prefer { user, preferences } => {
                self.policies.insert(user.clone(), preferences.policy);
            }
            Event::Block { .. } | Event::Unblock { .. } => {}
            Event::Change { group, settings, .. } => {
                self.joins.insert(group.clone(), settings.join);
            }
            Event::Create { user, group, settings } => {
                self.joins.insert(group.clone(), settings.join);
                self.admit(user, group, Role::Owner);
            }
            Event::Delete { group, .. } => {
                self.deleted.insert(group.clone());
            }
            Event::Join { user, group, .. } => {
                let waits = self.joins.get(group) == Some(&JoinPolicy::Ask);
                self.admit(user, group, if waits { Role::Applicant } else { Role::Member });
            }
            Event::Leave { user, group } => self.reader(user, group).is_away = true,
            Event::Appoint { by, user, group, role } => self.appoint(by, user, group, *role),
        }
    }

    fn letter(&mut self, sender: &UserId, to: &UserId, standing: Standing) {
        let conversation = ConversationId::direct(sender, to);
        self.items.entry(conversation.clone()).or_default().push(Some(sender.clone()));
        let policy = self.policies.get(to).copied().unwrap_or_default();
        let is_welcome = standing == Standing::Trusted;
        let first =
            if is_welcome || policy == WritePolicy::Everyone { Folder::Main } else { Folder::Request };
        let own = self.readers.entry((sender.clone(), conversation.clone()));
        let own = own.or_insert_with(|| Reader::new(0, Folder::Main, Role::Member));
        if own.folder == Folder::Request {
            own.folder = Folder::Main;
        }
        let other = self.readers.entry((to.clone(), conversation));
        let other = other.or_insert_with(|| Reader::new(0, first, Role::Member));
        if other.folder == Folder::Request && is_welcome {
            other.folder = Folder::Main;
        }
    }

    fn read(&mut self, place: &Place) {
        let head = self.head(&place.conversation);
        let wanted = usize::try_from(place.position.0).unwrap_or(usize::MAX).min(head);
        let reader = self.reader(&place.user, &place.conversation);
        reader.read = reader.read.max(wanted);
    }

    /// Adds a reader who has read everything.
    fn admit(&mut self, user: &UserId, group: &ConversationId, role: Role) {
        let new = Reader::new(self.head(group), Folder::Main, role);
        let reader = self.readers.entry((user.clone(), group.clone())).or_insert_with(|| new.clone());
        *reader = Reader { notify: reader.notify, ..new };
    }

    fn appoint(&mut self, by: &UserId, user: &UserId, group: &ConversationId, role: Role) {
        let reader = self.reader(user, group);
        let waits = reader.role == Role::Applicant && !reader.is_away;
        match role {
            Role::Banned => *reader = Reader { role, is_away: true, ..reader.clone() },
            _ if waits => self.admit(user, group, role),
            _ => {
                reader.role = role;
                if role == Role::Owner {
                    self.reader(by, group).role = Role::Moderator;
                }
            }
        }
    }

    fn reader(&mut self, user: &UserId, conversation: &ConversationId) -> &mut Reader {
        let reader = self.readers.get_mut(&(user.clone(), conversation.clone()));
        reader.expect("an event with an effect names a known reader")
    }

    fn head(&self, conversation: &ConversationId) -> usize {
        self.items.get(conversation).map_or(0, Vec::len)
    }

    /// Returns the position of the newest item.
    #[must_use]
    pub fn head_position(&self, conversation: &ConversationId) -> Position {
        Position(u64::try_from(self.head(conversation)).unwrap_or(u64::MAX))
    }

    /// Returns the unread items of each present member of each open conversation.
    #[must_use]
    pub fn unread(&self) -> BTreeMap<(UserId, ConversationId), u64> {
        let present =
            self.readers.iter().filter(|(key, reader)| reader.is_present() && !self.deleted.contains(&key.1));
        present.map(|(key, reader)| (key.clone(), self.count(key, reader))).collect()
    }

    fn count(&self, (user, conversation): &(UserId, ConversationId), reader: &Reader) -> u64 {
        let items = self.items.get(conversation).map_or(&[][..], Vec::as_slice);
        let unread = items[reader.read..].iter().flatten().filter(|sender| *sender != user);
        u64::try_from(unread.count()).unwrap_or(u64::MAX)
    }

    /// Returns the totals of the direct conversations, of each user that has one.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<UserId, u64> {
        let mut totals = BTreeMap::new();
        for (key, reader) in &self.readers {
            let is_direct = key.1.kind() == Kind::Direct;
            let counts = is_direct && reader.folder == Folder::Main && reader.notify == Notify::All;
            let unread = if counts { self.count(key, reader) } else { 0 };
            *totals.entry(key.0.clone()).or_default() += unread;
        }
        totals
    }
}
